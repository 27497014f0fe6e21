package runbook

import "slices"

var stepExitNormal = step{
	id: StepExitNormal,
	// The gate, and the wait for signatures, may have taken hours, so the
	// leaders are proven again (R7).
	do:     slices.Concat([]wave{restartWave}, slices.Insert(updateRound(ChangeExitMaintenance, hintExit), 1, leadersWave)),
	verify: verifyUpdate,
	undo: func(k *knowledge) string {
		return "From the first update on there is no way back to Kafka."
	},
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Leave maintenance mode",
			What: "Set ConsensusType.State to STATE_NORMAL on the system channel " +
				k.system + ", prove it, then on " + count(len(k.others()), "other channel") + "." + signedElsewhere(k),
			Why: "If the system channel leaves maintenance mode on Raft, the others " +
				"most likely will too: they have the same consenters.",
			Verify:   "The config block that carries the update is read from every orderer.",
			Estimate: updateEstimate(k),
			Guide:    guideExit,
			Commands: commandsUpdate(k, editState(StateNormal)...),
		}
	},
}

const hintExit = "A refused exit of the system channel is a sign that the migration failed: read the refusal. " +
	"\"certificate signed by unknown authority\" means that a TLS CA is missing in the channel's orderer organisations."

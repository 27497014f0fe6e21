package runbook

import "time"

var stepEnterMaintenance = step{
	id:     StepEnterMaintenance,
	do:     updateRound(ChangeEnterMaintenance, hintBehind),
	verify: verifyUpdate,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Enter maintenance mode",
			What: "Set ConsensusType.State to STATE_MAINTENANCE on the system channel " +
				k.system + ", prove it on every orderer, then on " +
				count(len(k.others()), "other channel") + ". Type and Metadata stay." + signedElsewhere(k),
			Why: "From here on clients and peers get nothing from the orderers. " +
				"So no peer can be ahead of the backup that comes next.",
			Verify: "The config block that carries the update is read from every " +
				"orderer.",
			Estimate: updateEstimate(k),
			Guide:    guideEntry,
			Commands: commandsUpdate(k, editState(StateMaintenance)...),
		}
	},
}

const hintBehind = "Look at the log of the node that is behind. Kafka orderers consume at their own speed; " +
	"retry if it is catching up."

// updateEstimate is how long a round of updates takes: about a second for the
// system channel with its proof, and then eight channels a second.
func updateEstimate(k *knowledge) time.Duration {
	return 2*time.Second + time.Duration(len(k.others()))*time.Second/8
}

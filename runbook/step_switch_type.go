package runbook

var stepSwitchType = step{
	id: StepSwitchType,
	check: func(k *knowledge) *Problem {
		if k.backup == nil || k.metadata == nil {
			return &Problem{What: "there is no verified backup or no Raft metadata", Ref: guideBackup, Hint: "Abort and start again."}
		}
		return nil
	},
	do:     updateRound(ChangeSwitchType, hintBehind),
	verify: verifyUpdate,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Switch the type to etcdraft",
			What: "Set ConsensusType.Type to etcdraft and Metadata to " + short(k.metadataHash()) +
				" on the system channel " + k.system + ", prove it, then on " +
				count(len(k.others()), "other channel") + ". State stays STATE_MAINTENANCE." + signedElsewhere(k),
			Why: "The orderers still run on Kafka. At the next start they read the new " +
				"type and begin as Raft nodes on the same ledgers.",
			Verify:   "The config block that carries the update is read from every orderer.",
			Estimate: updateEstimate(k),
			Guide:    guideSwitch,
			Commands: append(commandsConsenters(k.plan.Orderers, k.metadata), commandsUpdate(k, editType()...)...),
		}
	},
}

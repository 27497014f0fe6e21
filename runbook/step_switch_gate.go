package runbook

var stepSwitchGate = step{
	id:   StepSwitchGate,
	do:   []wave{lastBlockWave(func(*knowledge) bool { return true })},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove that the type change comes last",
			What: "Read the last block of every channel from every orderer once more. " +
				"Nothing is changed.",
			Why: "If any configuration transaction follows the type change, the " +
				"orderers most likely crash at the next start.",
			Verify: "The last block is the type-changing config block, its consenter " +
				"metadata is empty, and all orderers have the same.",
			Estimate: readEstimate(k),
			Guide:    guideSwitch,
			Commands: []string{command(
				loop("CH", k.channels),
				`  peer channel fetch newest $CH.last -c $CH -o $ORDERER --tls --cafile $CA`,
				`  configtxlator proto_decode --type common.Block --input $CH.last |`,
				`    jq '.header.number, .data.data[0].payload.header.channel_header.type'`,
				`done   # type 1 is a config block; repeat for every orderer`,
			)},
		}
	},
}

// lastBlockWave reads every channel once and demands that the type change is
// the last block everywhere (R6).
func lastBlockWave(needed func(k *knowledge) bool) wave {
	return wave{
		effects: func(k *knowledge) []Effect {
			if !needed(k) {
				return nil
			}
			x := expectProven(k, ChangeSwitchType, k.channels)
			x.TypeChangeLast = true
			return []Effect{{Kind: ReadChannels, Channels: allChannels(k), Expect: &x}}
		},
		judge: func(k *knowledge, e Effect, ev Evidence) *Problem {
			return judgeChannels(k, e, ev, "A configuration update came after the type change. Abort: "+
				"restoring the backup is the only way out. Keep other administrators from updating, then start again.")
		},
	}
}

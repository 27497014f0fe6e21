package runbook

var stepVerifyFinal = step{
	id: StepVerifyFinal,
	do: []wave{
		{
			effects: func(k *knowledge) []Effect {
				return []Effect{{Kind: ReadChannels, Channels: allChannels(k)}}
			},
			judge: func(k *knowledge, e Effect, ev Evidence) *Problem { return judgeChannels(k, e, ev, "") },
		},
		awaitWave(allChannels, func(k *knowledge) Expectation {
			// Whatever any orderer had a moment ago, all must have now.
			x := expectProven(k, ChangeExitMaintenance, k.channels)
			for _, c := range k.matrix() {
				x.MinHeights[c.Name] = max(x.MinHeights[c.Name], highest(c))
			}
			x.Leader = true
			return x
		}, "Look at the log of the node named; retry once it has caught up."),
	},
	undo: undoClosed,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Take the final picture",
			What: "Read every channel from every orderer a last time, for the report. " +
				"Nothing is changed. Then see that every peer gets blocks again. A peer " +
				"of 1.4 that is its organization's fixed leader (orgLeader) gives up " +
				"after 43 seconds of maintenance mode: restart it.",
			Why: "The report must show the state that the network was left in.",
			Verify: "Type etcdraft, STATE_NORMAL, a leader, no orderer behind, no two " +
				"orderers with different blocks at the same height.",
			Estimate: readEstimate(k),
			Guide:    guideExit,
			Commands: commandsFetch(k, k.channels),
		}
	},
}

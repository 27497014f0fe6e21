package runbook

import (
	"slices"
	"time"
)

var stepRelistChannels = step{
	id: StepRelistChannels,
	do: []wave{
		{
			effects: func(*knowledge) []Effect { return []Effect{{Kind: ListChannels}} },
			judge:   judgeRelist,
		},
		{
			effects: func(k *knowledge) []Effect {
				if len(notEntered(k)) == 0 {
					return nil
				}
				return factsWave.effects(k)
			},
			judge: factsWave.judge,
		},
		collectWave(ChangeEnterMaintenance, notEntered),
		submitWave(ChangeEnterMaintenance, notEntered),
	},
	verify: verifyUpdate,
	undo:   undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "List the channels again",
			What: "Collect the channels once more. A channel that was created in the " +
				"meantime is checked and put into maintenance mode too.",
			Why: "Channels can be created until the system channel is in maintenance " +
				"mode. Now it is, so this list is final.",
			Verify:   "No channel of the first list may be missing.",
			Estimate: 5 * time.Second,
			Guide:    guidePrepare,
			Commands: []string{
				"ls $LEDGER/chains/chains   # on every orderer",
				"kafka-topics.sh --bootstrap-server $BROKER --list",
			},
		}
	},
}

// notEntered returns the channels that were not put into maintenance yet.
func notEntered(k *knowledge) []string {
	return slices.DeleteFunc(slices.Clone(k.others()), func(c string) bool {
		return k.intended[ChangeEnterMaintenance][c]
	})
}

func judgeRelist(k *knowledge, _ Effect, ev Evidence) *Problem {
	if ev.ChannelList.System != k.system {
		return &Problem{What: "the system channel has another name now", Where: ev.ChannelList.System, Why: "it was " + k.system}
	}
	for _, name := range k.channels {
		if !slices.Contains(ev.ChannelList.Names, name) {
			return &Problem{
				What: "channel is gone from the list", Where: name, Ref: guideAssumptions,
				Hint: "All channels migrate together. Find out why it is not seen any more, then retry.",
			}
		}
	}
	return nil
}

package runbook

import "slices"

var stepRollbackNormal = step{
	id: StepRollbackNormal,
	skip: func(k *knowledge) string {
		switch {
		case !k.changed:
			return "nothing was changed"
		case !k.entering():
			return "no channel entered maintenance mode"
		default:
			return ""
		}
	},
	do: []wave{
		{effects: lookBeforeExit, judge: judgeBackOnKafka},
		collectWave(ChangeExitMaintenance, func(k *knowledge) []string { return keepEntered(k, allChannels(k)) }),
		submitWave(ChangeExitMaintenance, func(k *knowledge) []string { return keepEntered(k, systemChannel(k)) }),
		awaitWave(systemChannel, func(k *knowledge) Expectation { return expectProven(k, ChangeExitMaintenance, systemChannel(k)) }, hintBehind),
		submitWave(ChangeExitMaintenance, func(k *knowledge) []string { return keepEntered(k, k.others()) }),
	},
	verify: verifyUpdate,
	undo:   undoRollback,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Leave maintenance mode on Kafka",
			What: "Look which channels are in maintenance mode. Set State to STATE_NORMAL " +
				"there, on the system channel " + k.system + " first." + signedElsewhere(k),
			Why:      "The network goes on with Kafka as before.",
			Verify:   "The config block that carries the update is read from every orderer.",
			Estimate: updateEstimate(k),
			Guide:    guideAbort,
			Commands: commandsUpdate(k, editState(StateNormal)...),
		}
	},
}

// lookBeforeExit reads all channels. After a restore every orderer must be
// back in maintenance with all that the backup had. Without one, an update
// that was perhaps submitted a moment before gets time to show; so does one
// that left maintenance, if this step is tried again.
func lookBeforeExit(k *knowledge) []Effect {
	var out []Effect
	for _, tried := range []bool{false, true} {
		names := slices.DeleteFunc(allChannels(k), func(c string) bool { return k.leaving[c] != tried })
		if len(names) == 0 {
			continue
		}
		e := Effect{Kind: AwaitChannels, Channels: names, Timeout: patience(k)}
		x := Expectation{Type: TypeKafka, NoMetadata: true, MinHeights: k.minHeights(names)}
		switch {
		case tried:
			x.State, e.Timeout = StateNormal, settle
		case k.switching():
			x.State, x.Agreement = StateMaintenance, true
		case unsettled(k):
			x.State, e.Timeout = StateMaintenance, settle
		}
		e.Expect = &x
		out = append(out, e)
	}
	return out
}

// unsettled reports whether an update may be under way of which nothing is known.
func unsettled(k *knowledge) bool {
	return len(k.intended[ChangeEnterMaintenance]) > len(k.settled[ChangeEnterMaintenance])
}

func judgeBackOnKafka(k *knowledge, e Effect, ev Evidence) *Problem {
	if !e.Expect.Agreement {
		x := *e.Expect
		x.State = "" // it was only waited for
		e.Expect = &x
	}
	return judgeChannels(k, e, ev, "Look at the log of the node named, then retry.")
}

// keepEntered returns the channels that some node shows in maintenance.
func keepEntered(k *knowledge, channels []string) []string {
	return slices.DeleteFunc(slices.Clone(channels), func(c string) bool {
		return !slices.ContainsFunc(k.states[c].Nodes, func(n NodeState) bool { return n.State == StateMaintenance })
	})
}

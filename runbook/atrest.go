package runbook

import (
	"fmt"
	"slices"
	"strings"
)

// An update that leaves maintenance mode on Raft and was not answered may be
// committed at any moment until the orderers are down. So a way back that began
// after one looks at the ledgers once more when nobody writes to them any more,
// before anything is restored. If that finds what the backup lacks, the way
// back is closed again, and the run goes forward.

// atRestWave reads the ledgers of the orderers, which are down, where an exit
// on Raft was ever intended: none may be newer than what was seen last of its
// channel in maintenance mode.
var atRestWave = wave{
	effects: func(k *knowledge) []Effect {
		if !k.exiting {
			return nil
		}
		x := expectAfter(k, ChangeSwitchType)
		x.MinHeights, x.MaxHeights = k.minHeights(k.channels), map[string]uint64{}
		for _, c := range k.channels {
			x.MaxHeights[c] = highest(k.states[c])
		}
		return []Effect{{Kind: ReadLedgers, Channels: allChannels(k), Expect: &x, Timeout: patience(k)}}
	},
	judge: judgeStay("Nothing was restored. Make the ledger readable (ledgerDir in raftmig.yaml names the one in use) and retry: " +
		"only what every ledger says tells whether the backup lacks something."),
}

// judgeStay demands that every channel is in maintenance mode on Raft still.
func judgeStay(hint string) func(k *knowledge, e Effect, ev Evidence) *Problem {
	return func(k *knowledge, e Effect, ev Evidence) *Problem {
		if p := departed(e, ev.Channels); p != nil {
			return p
		}
		return judgeChannels(k, e, ev, hint)
	}
}

// looksBack reports whether an effect looks, on the way back, whether channels
// are in maintenance mode still.
func looksBack(e Effect) bool {
	return e.Step == StepRollbackStopOrderers && e.Kind == ReadChannels || e.Kind == ReadLedgers
}

// departed says which channel has left maintenance mode on Raft, or has grown
// since it was last seen in it; nil if none has. What cannot be read says
// neither.
func departed(e Effect, states []ChannelState) *Problem {
	for _, c := range states {
		for _, n := range c.Nodes {
			limit, limited := uint64(0), false
			if e.Expect != nil {
				limit, limited = e.Expect.MaxHeights[c.Name], e.Expect.MaxHeights != nil
			}
			p := &Problem{
				Where: at(c.Name, n.Node), Ref: guideAbort,
				Hint: "Nothing was restored or removed. Retry, or resume the run: the orderers are started " +
					"if they were stopped, and the run goes forward and leaves maintenance mode on Raft.",
			}
			switch {
			case n.Error != "":
			case n.Type == TypeRaft && n.State == StateNormal:
				p.What = "no way back: the channel has left maintenance mode on Raft after all"
				p.Why = fmt.Sprintf("the update that had not been answered was committed, by height %d: clients may have written since, "+
					"and the backup has nothing of it", n.Height)
				return p
			case limited && n.Height > limit:
				p.What = "no way back: the channel has grown after it was last seen in maintenance mode"
				p.Why = fmt.Sprintf("its height is %d, it was %d: the backup lacks what was ordered then", n.Height, limit)
				return p
			}
		}
	}
	return nil
}

// closedAgain reports whether the run is on its way back although an exit on
// Raft is no longer known not to be in force.
func (r *Runbook) closedAgain() bool { return r.k.rollingBack && r.k.exiting && !r.k.stayed }

// turnForward leaves a way back that was closed again, before anything was
// restored, for the step that leaves maintenance mode. That step fails with what
// was found; when it is tried again it begins anew.
func (r *Runbook) turnForward(found *Problem) {
	forward := len(procedureOf(r.k.plan).steps)
	back := r.path[forward:]
	r.path = r.path[:forward]
	r.k.rollingBack, r.abort = false, nil
	r.cur = slices.IndexFunc(r.path, func(s *stepRun) bool { return s.id == StepExitNormal })
	run := r.path[r.cur]
	for _, b := range back {
		run.evidence = append(run.evidence, b.evidence...)
	}
	run.note, run.blocked, run.failures = "after a way back that was closed again", true, 0
	if found.Where != "" { // an unattended run stands still nowhere to say it
		run.note += ": " + found.Where + ": " + strings.TrimPrefix(found.What, "no way back: ")
	}
	for _, later := range r.path[r.cur+1:] {
		later.status, later.note = StatusPending, ""
	}
	r.fail(run, found)
}

// restartWave starts the orderers again where a way back that was closed again
// had stopped them.
var restartWave = wave{
	effects: func(k *knowledge) []Effect {
		if !k.exiting || !k.stopped {
			return nil
		}
		return startWave(TierOrderers).effects(k)
	},
	judge: accepted,
}

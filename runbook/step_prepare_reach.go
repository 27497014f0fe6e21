package runbook

import (
	"slices"
	"time"
)

var stepReach = step{
	id: StepReach,
	do: []wave{{
		effects: func(*knowledge) []Effect { return []Effect{{Kind: ReadProcesses}} },
		judge:   judgeAllUp,
	}},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Reach every node",
			What: "Ask for the state of every process: " + list(k.nodes("")) + ". " +
				"Nothing is changed.",
			Why: "Every one of them is stopped and started later. " +
				"What cannot be seen now cannot be stopped in order then.",
			Verify:   "Each process answers and runs.",
			Estimate: 5 * time.Second,
			Guide:    guideAssumptions,
			Commands: commandsControl("status", k.nodes("")),
		}
	},
}

// judgeAllUp demands that every process of the plan was seen running.
func judgeAllUp(k *knowledge, _ Effect, ev Evidence) *Problem {
	for _, node := range k.nodes("") {
		i := slices.IndexFunc(ev.Processes, func(p ProcessState) bool { return p.Node == node })
		switch {
		case i < 0:
			return &Problem{What: "process was not seen", Where: node, Hint: "Check its control section in raftmig.yaml."}
		case !ev.Processes[i].Running:
			return &Problem{
				What: "process does not run", Where: node, Ref: guideAssumptions,
				Hint: "Start it, wait until it serves, and retry.",
			}
		}
	}
	return nil
}

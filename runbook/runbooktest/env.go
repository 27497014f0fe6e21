package runbooktest

import (
	"fmt"
	"sort"
	"strings"

	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// Env is an interaction environment: scripts tell a runbook on a simulated
// network what happens, and see everything that it does. Each verb has a file
// of its own, handle_<verb>.go.
type Env struct {
	Net *Network
	Run *Run
	// shown is how much of the journal was printed, last the steps' states.
	shown int
	last  map[runbook.StepID]string
}

// NewEnv returns an environment in which no run has begun.
func NewEnv() *Env { return &Env{last: map[runbook.StepID]string{}} }

// Handle carries out one directive and returns what it shows.
//
//	network orderers=3 zookeeper=0 channels=(ch1,ch2) raft spare=1
//	run unattended abort-after=switch ignore=(versions.equal)
//	run operation=consenter-add node=orderer3   on a network with raft
//	continue                     perform effects until nothing is left to perform
//	complete id=…                perform one effect
//	fail kind=… channel=… tier=… change=… after|late   make the next such effect fail
//	confirm text=…               pass the gate
//	abort, retry, give-up        what the operator may ask for
//	crash performed=none|all|under-way   the process dies and is started again
//	sign channels=(ch1)          administrators elsewhere sign what lies there; none named: all
//	hurt …                       see handleHurt
//	status                       the whole snapshot
//	channels                     what every node shows of every channel
//	rules                        which rules are broken
func (env *Env) Handle(d *datadriven.TestData) string {
	handlers := map[string]func(*datadriven.TestData) error{
		"network": env.handleNetwork, "run": env.handleRun,
		"continue": env.handleContinue, "complete": env.handleComplete, "fail": env.handleFail,
		"confirm": env.handleConfirm, "abort": env.handleAbort, "retry": env.handleRetry, "give-up": env.handleGiveUp,
		"crash": env.handleCrash, "hurt": env.handleHurt, "sign": env.handleSign,
	}
	views := map[string]func() string{"status": env.status, "channels": env.channels, "rules": env.rules}
	if view, ok := views[d.Cmd]; ok {
		return view()
	}
	handle, ok := handlers[d.Cmd]
	if !ok {
		verbs := []string{"status", "channels", "rules"}
		for v := range handlers {
			verbs = append(verbs, v)
		}
		sort.Strings(verbs)
		return fmt.Sprintf("unknown verb %q; there are %s\n", d.Cmd, strings.Join(verbs, ", "))
	}
	err := handle(d)
	out := env.news()
	if err != nil {
		out += "error: " + err.Error() + "\n"
	}
	if out == "" {
		return "ok\n"
	}
	return out
}

// argument returns the value of an argument, or a default.
func argument(d *datadriven.TestData, name, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return otherwise
}

func list(d *datadriven.TestData, name string) []string {
	for _, a := range d.CmdArgs {
		if a.Key == name {
			return a.Vals
		}
	}
	return nil
}

func number(d *datadriven.TestData, name string, otherwise int) (int, error) {
	n := otherwise
	if text := argument(d, name, ""); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	return n, nil
}

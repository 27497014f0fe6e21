package testnet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"raftmig/fabricops/node"
)

// Fault is something that is done to one node.
type Fault string

// The faults. Stop, start and restart are orderly.
const (
	FaultKill    Fault = "kill"    // SIGKILL
	FaultStop    Fault = "stop"    // SIGTERM
	FaultStart   Fault = "start"   // until it serves
	FaultRestart Fault = "restart" // stop, start
	FaultPause   Fault = "pause"   // SIGSTOP
	FaultResume  Fault = "resume"  // SIGCONT
)

// Faults are all faults in the order of their documentation.
func Faults() []Fault {
	return []Fault{FaultKill, FaultStop, FaultStart, FaultRestart, FaultPause, FaultResume}
}

// NodeNames are the names of all processes, sorted.
func (n *Network) NodeNames() []string { return slices.Sorted(maps.Keys(n.controllers)) }

// Inject does a fault to the node called name, an orderer or "broker".
func (n *Network) Inject(ctx context.Context, f Fault, name string) error {
	c, ok := n.controllers[name]
	if !ok {
		return fmt.Errorf("there is no node %q; there are %s", name, strings.Join(n.NodeNames(), ", "))
	}
	if !slices.Contains(Faults(), f) {
		return fmt.Errorf("there is no fault %q; there are %v", f, Faults())
	}
	return n.exclusive(func() error {
		switch f {
		case FaultStop:
			return c.Stop(ctx)
		case FaultStart:
			return c.Start(ctx)
		case FaultRestart:
			if err := c.Stop(ctx); err != nil {
				return err
			}
			return c.Start(ctx)
		}
		h, ok := c.(node.Faulter)
		if !ok {
			return fmt.Errorf("%s: raftmig does not run this process itself, so it cannot %s it", name, f)
		}
		switch f {
		case FaultKill:
			return h.Kill(ctx)
		case FaultPause:
			return h.Pause()
		default:
			return h.Resume()
		}
	})
}

package fabricops

import (
	"context"
	"fmt"
	"sync"

	"raftmig/fabricops/deliver"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/ledgerfiles"
	"raftmig/fabricops/matrix"
	"raftmig/runbook"
)

// readLedgers reads from the files of the orderers, which must be down, how
// every channel ends: all orderers at once, the channels of each one after
// another. A ledger that cannot be read says so in its place.
func (o *Operator) readLedgers(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	if err := o.allDown(ctx, "reading ledgers", runbook.TierOrderers); err != nil {
		return runbook.Evidence{}, err
	}
	states := make([]runbook.ChannelState, len(e.Channels))
	for i, c := range e.Channels {
		states[i] = runbook.ChannelState{Name: c, System: c == o.inv.SystemChannel, Nodes: make([]runbook.NodeState, len(o.inv.Orderers))}
	}
	r.total(int64(len(states)*len(o.inv.Orderers)), "ledgers")
	var wg sync.WaitGroup
	for i := range o.inv.Orderers {
		n := &o.inv.Orderers[i]
		wg.Go(func() {
			for j := range states {
				states[j].Nodes[i] = atRest(ctx, n, states[j].Name) // each place is written once
				r.step(states[j].Name + " on " + n.Name + ": ledger read")
			}
		})
	}
	wg.Wait()
	return runbook.Evidence{Summary: "ledgers at rest: " + summary(states), Channels: states}, nil
}

// atRest is what an orderer's files say of a channel.
func atRest(ctx context.Context, n *inventory.Orderer, channel string) runbook.NodeState {
	err := ctx.Err()
	switch {
	case err != nil:
	case n.LedgerDir == "":
		err = fmt.Errorf("the inventory does not name its ledgerDir")
	default:
		var tail *ledgerfiles.Tail
		if tail, err = ledgerfiles.ReadTail(n.LedgerDir, channel); err == nil {
			var s runbook.NodeState
			if s, err = matrix.State(n.Name, &deliver.Head{Newest: tail.Newest, Config: tail.Config}); err == nil {
				return s
			}
		}
	}
	return runbook.NodeState{Node: n.Name, Error: err.Error()}
}

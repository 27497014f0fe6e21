package facts

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/channelconfig"
	"raftmig/runbook"
)

// GatherOnRaft observes what the checks of an operation on Raft judge: the
// consenters to be with the metadata, the node that the operation is about, and
// the channels as the witnesses show them.
func (g *Gatherer) GatherOnRaft(ctx context.Context, channels []string, o runbook.Operation, metadata []byte, progress func(text string)) (*runbook.Facts, error) {
	md, err := consenters.Describe(metadata, g.Network)
	if err != nil {
		return nil, err
	}
	f := &runbook.Facts{
		Now: g.Now().UTC(), Network: g.Network.Name, Admin: g.Admins[0].Facts(g.Now()), AwaitSignatures: g.Network.AwaitSignatures,
		Channels: make([]runbook.ChannelFacts, len(channels)),
		Raft:     &runbook.RaftFacts{Operation: o, Faults: consenters.Faults(o, g.Network, g.Now())},
	}
	for _, a := range g.Admins[1:] {
		f.Admins = append(f.Admins, a.Facts(g.Now()))
	}
	for _, c := range md.Consenters {
		f.Raft.Members = append(f.Raft.Members, c.Node)
	}
	f.Raft.Witnesses = runbook.Witnesses(o, f.Raft.Members)
	var wg sync.WaitGroup
	for i := range g.Network.Orderers {
		node := &g.Network.Orderers[i]
		if slices.Contains(f.Raft.Members, node.Name) || node.Name == o.Node {
			f.Orderers = append(f.Orderers, runbook.OrdererFacts{Node: node.Name})
		}
	}
	for i := range f.Orderers {
		at := slices.IndexFunc(g.Network.Orderers, func(n inventory.Orderer) bool { return n.Name == f.Orderers[i].Node })
		wg.Go(func() { f.Orderers[i] = g.orderer(ctx, &g.Network.Orderers[at]) })
	}
	reached := make([]bool, len(channels))
	wg.Go(func() { g.channelsOnRaft(ctx, channels, o, md, f, reached) })
	wg.Wait()
	for i, yes := range reached {
		if yes {
			f.Raft.Reached = append(f.Raft.Reached, channels[i])
		}
	}
	progress("nodes and channels read")
	return f, ctx.Err()
}

// channelsOnRaft observes the channels, and which have reached the goal.
func (g *Gatherer) channelsOnRaft(ctx context.Context, names []string, o runbook.Operation, md *runbook.ConsenterMetadata, f *runbook.Facts, reached []bool) {
	states := g.Matrix.Only(f.Raft.Witnesses).Read(ctx, names, nil)
	goal := channelcfg.Goal{Change: o.Change(), Metadata: md.Bytes, Endpoint: o.Endpoint}
	var group errgroup.Group
	group.SetLimit(channelsAtATime)
	for i := range names {
		group.Go(func() error {
			f.Channels[i] = g.channel(ctx, states[i], md, nil)
			v, err := g.view(ctx, states[i])
			if err != nil {
				return nil // the channel's facts say so
			}
			reached[i] = goal.InForce(v) && (o.Kind != runbook.AddConsenter || o.Endpoint == "" || slices.Contains(v.Endpoints(), o.Endpoint))
			bundle, err := channelconfig.NewBundle(v.Channel, v.Config)
			if err != nil {
				return nil // likewise
			}
			ord, ok := bundle.OrdererConfig()
			if !ok || len(f.Channels[i].UntrustedConsenters) > 0 {
				return nil
			}
			err = consenters.Verify(md.Bytes, ord)
			if err == nil && (o.Kind == runbook.AddConsenter || o.Kind == runbook.RotateCertificates) {
				err = consenters.Trusted(md.Bytes, o.Consenter, ord, g.Now())
			}
			if err != nil {
				f.Channels[i].UntrustedConsenters = []string{err.Error()}
			}
			return nil
		})
	}
	_ = group.Wait() // no function of the group returns an error
}

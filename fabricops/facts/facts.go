// Package facts observes a network for the preflight checks: who answers, in
// which version, with which certificates, and what every channel's
// configuration says. It changes nothing and judges nothing; what cannot be
// observed is reported as unknown.
package facts

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/backup"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/fabricops/matrix"
	"raftmig/runbook"
)

// channelsAtATime bounds the channels whose configuration is judged at a time;
// it is mostly arithmetic.
const channelsAtATime = 4

// Gatherer observes one network.
type Gatherer struct {
	Network *inventory.Network
	Deliver *deliver.Client
	Matrix  *matrix.Reader
	// Admins sign updates; the first of them reads channels and sends updates.
	Admins    []*identity.Identity
	BackupDir string
	Now       func() time.Time
	// LogVersion is what a node's log says of its version, "" if nothing.
	LogVersion func(node string) string
	// LogSetting is what a node's log says of a setting of its Kafka section.
	LogSetting func(node, name string) string
}

// Gather observes everything. channels limits the channels; empty means all
// that are found. progress gets a text as each part is complete.
func (g *Gatherer) Gather(ctx context.Context, channels []string, progress func(text string)) (*runbook.Facts, []runbook.Finding, error) {
	list, findings, err := g.List(ctx)
	if ctx.Err() != nil {
		return nil, findings, ctx.Err()
	}
	if err != nil { // the other facts tell why: a node, or the identity
		findings = append(findings, runbook.Finding{
			Check: "channels.sources", Severity: runbook.SeverityError,
			Summary: "the channel list is not complete: the system channel could not be read", Evidence: []string{err.Error()},
			Hint: "Make an ordering node reachable, with an administrator of an orderer organization.",
		})
	}
	progress("channels listed")
	if len(channels) == 0 {
		channels = list.Names
	}
	f := &runbook.Facts{
		Now:             g.Now().UTC(),
		Network:         g.Network.Name,
		Orderers:        make([]runbook.OrdererFacts, len(g.Network.Orderers)),
		Brokers:         make([]runbook.BrokerFacts, len(g.Network.Brokers)+len(g.Network.ZooKeeper)),
		Channels:        make([]runbook.ChannelFacts, len(channels)),
		ChannelList:     *list,
		AwaitSignatures: g.Network.AwaitSignatures,
		Admin:           g.Admins[0].Facts(g.Now()),
	}
	for _, a := range g.Admins[1:] {
		f.Admins = append(f.Admins, a.Facts(g.Now()))
	}
	var wg sync.WaitGroup
	for i := range g.Network.Orderers {
		wg.Go(func() { f.Orderers[i] = g.orderer(ctx, &g.Network.Orderers[i]) })
	}
	for i, p := range g.Network.Brokers {
		wg.Go(func() {
			b := kafkaops.Reach(ctx, runbook.TierBrokers, p)
			for _, dir := range p.Data {
				b.Data = append(b.Data, dataFolder(dir))
			}
			f.Brokers[i] = b
		})
	}
	for i, p := range g.Network.ZooKeeper {
		wg.Go(func() { f.Brokers[len(g.Network.Brokers)+i] = kafkaops.Reach(ctx, runbook.TierZooKeeper, p) })
	}
	wg.Go(func() { f.Backup = backup.Space(g.Network, g.BackupDir) })
	wg.Go(func() {
		g.channels(ctx, channels, f.Channels)
		// After the ledgers: what they hold must be in Kafka by now.
		f.Kafka = g.kafka(ctx, channels)
	})
	wg.Wait()
	progress("nodes and channels read")
	return f, findings, ctx.Err()
}

func (g *Gatherer) channels(ctx context.Context, names []string, out []runbook.ChannelFacts) {
	states := g.Matrix.Read(ctx, names, nil)
	// An error here shows as untrusted consenters of every channel.
	metadata, metadataErr := consenters.Build(g.Network)
	var group errgroup.Group
	group.SetLimit(channelsAtATime)
	for i := range names {
		group.Go(func() error {
			out[i] = g.channel(ctx, states[i], metadata, metadataErr)
			return nil
		})
	}
	_ = group.Wait() // no function of the group returns an error
}

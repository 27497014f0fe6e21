package facts

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/kafkaops"
	"raftmig/fabricops/ledgerfiles"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Names of the sources of the channel list.
const (
	SourceSystem    = "system channel"
	SourceTopics    = "kafka topics"
	SourceInventory = "inventory"
	sourceLedger    = "ledger of "
)

const walkTimeout = 2 * time.Minute

// List collects the channels from the system channel's blocks, from the ledger
// folders of all nodes that can be seen from here, and from the Kafka topics.
// Sources that cannot be read are left out, with a finding; without the system
// channel's blocks the list comes with an error. A Kafka topic alone makes no
// channel: it appears in Sources only.
func (g *Gatherer) List(ctx context.Context) (*runbook.ChannelList, []runbook.Finding, error) {
	return g.list(ctx, nil)
}

// ListOnRaft is List for an operation on Raft: Kafka is not asked, nor the
// ledger of the node that joins or leaves.
func (g *Gatherer) ListOnRaft(ctx context.Context, o runbook.Operation) (*runbook.ChannelList, []runbook.Finding, error) {
	return g.list(ctx, &o)
}

func (g *Gatherer) list(ctx context.Context, operation *runbook.Operation) (*runbook.ChannelList, []runbook.Finding, error) {
	list := &runbook.ChannelList{System: g.Network.SystemChannel, Sources: map[string][]string{}}
	var findings []runbook.Finding
	missing := func(source string, err error) {
		findings = append(findings, runbook.Finding{
			Check: "channels.sources", Severity: runbook.SeverityWarn,
			Summary: "the channel list was made without one of its sources: " + source, Evidence: []string{err.Error()},
			Hint: "Compare the list with that source by hand.",
		})
	}
	known := map[string]bool{list.System: true}
	take := func(source string, names []string, count bool) {
		list.Sources[source] = names
		for _, n := range names {
			known[n] = known[n] || count
		}
	}
	created, unwalked := g.created(ctx)
	if unwalked != nil {
		unwalked = fmt.Errorf("walking over the system channel %s: %w", list.System, unwalked)
	} else {
		take(SourceSystem, created, true)
	}
	for _, o := range g.Network.Orderers {
		if o.LedgerDir == "" || operation != nil && o.Name == operation.Node {
			continue
		}
		names, err := ledgerfiles.Channels(o.LedgerDir)
		if err != nil {
			missing(sourceLedger+o.Name, err)
			continue
		}
		take(sourceLedger+o.Name, names, true)
	}
	if operation != nil {
		// The brokers may be gone since the migration.
	} else if topics, err := g.topics(ctx); err != nil {
		missing(SourceTopics, err)
	} else {
		take(SourceTopics, topics, false)
	}
	if len(g.Network.Channels) > 0 {
		names := append([]string(nil), g.Network.Channels...)
		sort.Strings(names)
		take(SourceInventory, names, true)
	}
	for name, counts := range known {
		if counts && name != list.System {
			list.Names = append(list.Names, name)
		}
	}
	sort.Strings(list.Names)
	if list.System != "" {
		list.Names = append([]string{list.System}, list.Names...)
	}
	return list, findings, unwalked
}

func (g *Gatherer) topics(ctx context.Context) ([]string, error) {
	cluster, err := kafkaops.Of(g.Network)
	if err != nil {
		return nil, err
	}
	return cluster.Topics(ctx)
}

// created walks over the system channel on the first node that can be read and
// returns the system channel and the channels that were created through it.
func (g *Gatherer) created(ctx context.Context) ([]string, error) {
	if g.Network.NoSystemChannel {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, walkTimeout)
	defer cancel()
	var errs []error
	for _, o := range g.Network.Orderers {
		names, err := g.walk(ctx, o.Name)
		if err == nil {
			return names, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func (g *Gatherer) walk(ctx context.Context, node string) ([]string, error) {
	system := g.Network.SystemChannel
	last, err := g.Deliver.Newest(ctx, node, system)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{system: true}
	err = g.Deliver.Range(ctx, node, system, 0, last.Header.Number, func(b *cb.Block) error {
		if name, ok := Creation(b); ok {
			names[name] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []string
	for n := range names {
		out = append(out, n)
	}
	sort.Strings(out)
	return out, nil
}

// Creation returns the channel that a block of the system channel creates.
func Creation(block *cb.Block) (string, bool) {
	if len(block.GetData().GetData()) != 1 {
		return "", false
	}
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return "", false
	}
	payload, err := protoutil.EnvelopePayload(env)
	if err != nil {
		return "", false
	}
	h, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil || h.Type != int32(cb.HeaderType_ORDERER_TRANSACTION) {
		return "", false
	}
	inner, err := protoutil.UnmarshalEnvelope(payload.Data)
	if err != nil {
		return "", false
	}
	ih, err := protoutil.ChannelHeader(inner)
	if err != nil {
		return "", false
	}
	return ih.ChannelId, true
}

package runbooktest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"raftmig/runbook"
)

// Metadata is the consensus metadata that a simulated network builds.
var Metadata = []byte("consenter set of the simulated network")

// MetadataHash is its hash.
func MetadataHash() string {
	sum := sha256.Sum256(Metadata)
	return hex.EncodeToString(sum[:])
}

// Perform implements runbook.Operator.
func (n *Network) Perform(ctx context.Context, e runbook.Effect, progress func(runbook.Progress)) (runbook.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return runbook.Evidence{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.performed[e.Kind]++
	if progress != nil {
		progress(runbook.Progress{Effect: e.ID, Text: e.String()})
	}
	if f := n.takeFailure(e); f != nil {
		if f.Late {
			n.late = append(n.late, func() { _, _ = n.perform(e) })
		}
		if f.After {
			if _, err := n.perform(e); err != nil {
				return runbook.Evidence{}, err
			}
		}
		return runbook.Evidence{}, &runbook.Problem{What: f.What, Where: e.Channel}
	}
	return n.perform(e)
}

// PerformLater performs an effect whose result nobody will see. An update
// arrives only when its channel is next waited for.
func (n *Network) PerformLater(e runbook.Effect) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Kind == runbook.SubmitUpdate {
		n.inflight = append(n.inflight, func() { _, _ = n.perform(e) })
		return
	}
	_, _ = n.perform(e)
}

func (n *Network) takeFailure(e runbook.Effect) *Failure {
	i := slices.IndexFunc(n.plan, func(f Failure) bool {
		return f.Kind == e.Kind && (f.Channel == "" || f.Channel == e.Channel) && (f.Tier == "" || f.Tier == e.Tier) &&
			(f.Change == "" || f.Change == e.Change)
	})
	if i < 0 {
		return nil
	}
	f := n.plan[i]
	n.plan = slices.Delete(n.plan, i, i+1)
	return &f
}

func (n *Network) perform(e runbook.Effect) (runbook.Evidence, error) {
	switch e.Kind {
	case runbook.GatherFacts:
		return runbook.Evidence{
			Summary:  "facts gathered",
			Findings: []runbook.Finding{{Check: "simulated", Severity: runbook.SeverityOK, Summary: "all is well"}},
		}, nil
	case runbook.ListChannels:
		return n.list(), nil
	case runbook.ReadChannels:
		return runbook.Evidence{Summary: "channels read", Channels: n.read(e.Channels, e.Nodes)}, nil
	case runbook.AwaitChannels:
		// What holds already is not waited for; otherwise there is time for
		// updates that are under way.
		if e.Expect == nil || len(e.Expect.Judge(n.read(e.Channels, e.Nodes))) > 0 {
			n.land()
		}
		return runbook.Evidence{Summary: "channels waited for", Channels: n.read(e.Channels, e.Nodes)}, nil
	case runbook.ReadLedgers:
		return n.ledgers(e), nil
	case runbook.ProveFlush:
		return n.proveFlush(e.Channels), nil
	case runbook.BuildMetadata:
		if e.Operation != nil {
			return n.raftMetadata(*e.Operation)
		}
		return n.metadata(), nil
	case runbook.ReadProcesses:
		return n.processes(e), nil
	case runbook.SendTransactions:
		return n.transact(e.Channels)
	case runbook.CollectSignatures:
		return n.collect(e), nil
	case runbook.SubmitUpdate:
		return n.submit(e)
	case runbook.StopNodes:
		return n.stop(e), nil
	case runbook.StartNodes:
		return n.start(e)
	case runbook.HandOverBlock:
		return n.handOver(e)
	case runbook.JoinChannel:
		return n.join(e)
	case runbook.InstallCertificates:
		return n.install(e)
	case runbook.TakeBackup:
		return n.takeBackup()
	case runbook.VerifyBackup:
		return n.verifyBackup()
	case runbook.RestoreBackup:
		return n.restore()
	case runbook.RemoveRaftState:
		return n.removeRaft()
	default:
		return runbook.Evidence{}, fmt.Errorf("unknown effect %s", e.Kind)
	}
}

func (n *Network) list() runbook.Evidence {
	names, system := n.channelNames(), SystemChannel
	if n.channels[system] == nil {
		system = ""
	}
	return runbook.Evidence{
		Summary:     fmt.Sprintf("%d channels", len(names)),
		ChannelList: &runbook.ChannelList{System: system, Names: names, Sources: map[string][]string{"model": names}},
	}
}

func (n *Network) read(only, nodes []string) []runbook.ChannelState {
	if len(nodes) == 0 {
		nodes = n.orderers
	}
	if len(only) == 0 {
		only = n.channelNames()
	}
	var out []runbook.ChannelState
	for _, name := range only {
		c := n.channels[name]
		if c == nil {
			continue
		}
		s := runbook.ChannelState{Name: name, System: name == SystemChannel}
		for _, o := range nodes {
			s.Nodes = append(s.Nodes, n.view(c, o))
		}
		out = append(out, s)
	}
	return out
}

func (n *Network) view(c *channel, orderer string) runbook.NodeState {
	if !n.running[orderer] || c.have[orderer] == 0 {
		return runbook.NodeState{Node: orderer, Error: "connection refused"}
	}
	v := n.stored(c, orderer)
	if n.raft[orderer] && !n.noLeader[c.name] {
		v.Leader = 1
	}
	if n.onRaftOnly != nil {
		n.viewRaft(c, orderer, &v)
	}
	return v
}

// stored is what an orderer's ledger says of a channel.
func (n *Network) stored(c *channel, orderer string) runbook.NodeState {
	have := c.have[orderer]
	if have == 0 {
		return runbook.NodeState{Node: orderer, Error: "the ledger holds no block"}
	}
	b := c.blocks[have-1]
	v := runbook.NodeState{
		Node: orderer, Type: b.typ, State: b.state, Height: uint64(have), LastBlockHash: b.hash,
		ConfigSequence: b.sequence, LastBlockIsConfig: b.config,
		// Kafka writes its offset into the metadata of every block but the type change.
		ConsenterMetadataEmpty: b.change == runbook.ChangeSwitchType,
	}
	if b.meta != "" {
		sum := sha256.Sum256([]byte(b.meta))
		v.MetadataHash = hex.EncodeToString(sum[:])
	}
	return v
}

// ledgers reads what orderers that are down have on disk.
func (n *Network) ledgers(e runbook.Effect) runbook.Evidence {
	if up := n.up(n.orderers); up > 0 {
		n.fault("ledgers were looked at while %d orderers ran", up)
	}
	ev := runbook.Evidence{Summary: "ledgers read"}
	for _, name := range e.Channels {
		c := n.channels[name]
		s := runbook.ChannelState{Name: name, System: name == SystemChannel}
		for _, o := range n.orderers {
			s.Nodes = append(s.Nodes, n.stored(c, o))
		}
		ev.Channels = append(ev.Channels, s)
	}
	return ev
}

func (n *Network) metadata() runbook.Evidence {
	m := &runbook.ConsenterMetadata{Bytes: slices.Clone(Metadata), Hash: MetadataHash()}
	for i, o := range n.orderers {
		m.Consenters = append(m.Consenters, runbook.Consenter{Node: o, Host: o + ".example.com", Port: uint32(7050 + i)})
	}
	return runbook.Evidence{Summary: "metadata built", Metadata: m}
}

func (n *Network) processes(e runbook.Effect) runbook.Evidence {
	t := e.Tier
	ev := runbook.Evidence{Summary: "processes read"}
	for _, tier := range []runbook.Tier{runbook.TierOrderers, runbook.TierBrokers, runbook.TierZooKeeper} {
		if t != "" && t != tier {
			continue
		}
		for _, p := range named(n.tier(tier), e.Nodes) {
			ev.Processes = append(ev.Processes, runbook.ProcessState{Node: p, Tier: tier, Running: n.running[p], StartedAt: startTime})
		}
	}
	return ev
}

// named returns the nodes that an effect names, all if it names none.
func named(all, nodes []string) []string {
	if len(nodes) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(p string) bool { return !slices.Contains(nodes, p) })
}

func (n *Network) transact(channels []string) (runbook.Evidence, error) {
	ev := runbook.Evidence{Summary: "transactions proven"}
	for _, name := range channels {
		c := n.channels[name]
		if err := n.serves(c); err != nil {
			return runbook.Evidence{}, err
		}
		b := c.last()
		if b.state != runbook.StateNormal {
			return runbook.Evidence{}, fmt.Errorf("channel %s: normal transactions are rejected: maintenance mode", name)
		}
		b.config, b.change = false, ""
		b.raft = b.typ == runbook.TypeRaft
		n.order(c, b)
		n.deliver(c)
		ev.Transactions = append(ev.Transactions, runbook.TransactionProof{
			Channel: name, TxID: fmt.Sprintf("tx-%s-%d", name, len(c.blocks)), Block: uint64(len(c.blocks) - 1),
		})
	}
	return ev, nil
}

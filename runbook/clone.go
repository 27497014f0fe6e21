package runbook

import (
	"maps"
	"slices"
)

// Deep copies: what enters and leaves the runbook shares nothing with it.

func cloneEvent(ev Event) Event {
	if ev.Plan != nil {
		p := clonePlan(*ev.Plan)
		ev.Plan = &p
	}
	if ev.Effect != nil {
		e := cloneEffect(*ev.Effect)
		ev.Effect = &e
	}
	if ev.Evidence != nil {
		e := cloneEvidence(*ev.Evidence)
		ev.Evidence = &e
	}
	ev.Problem = cloneProblem(ev.Problem)
	return ev
}

func clonePlan(p Plan) Plan {
	p.Orderers = slices.Clone(p.Orderers)
	p.Brokers = slices.Clone(p.Brokers)
	p.ZooKeeper = slices.Clone(p.ZooKeeper)
	p.Admins = slices.Clone(p.Admins)
	p.IgnoreChecks = slices.Clone(p.IgnoreChecks)
	p.Operation = clonePtr(p.Operation, cloneOperation)
	return p
}

func cloneEffect(e Effect) Effect {
	e.Channels = slices.Clone(e.Channels)
	e.Nodes = slices.Clone(e.Nodes)
	e.Operation = clonePtr(e.Operation, cloneOperation)
	e.Metadata = slices.Clone(e.Metadata)
	if e.Expect != nil {
		x := *e.Expect
		x.MinHeights, x.MaxHeights = maps.Clone(x.MinHeights), maps.Clone(x.MaxHeights)
		e.Expect = &x
	}
	return e
}

func cloneProblem(p *Problem) *Problem {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func cloneEvidence(ev Evidence) Evidence {
	ev.Facts = clonePtr(ev.Facts, cloneFacts)
	ev.ChannelList = clonePtr(ev.ChannelList, cloneChannelList)
	ev.Channels = cloneChannels(ev.Channels)
	ev.Metadata = clonePtr(ev.Metadata, cloneMetadata)
	ev.Update = clonePtr(ev.Update, func(u UpdateReceipt) UpdateReceipt { return u })
	ev.Backup = clonePtr(ev.Backup, func(b BackupReceipt) BackupReceipt {
		b.Heights = maps.Clone(b.Heights)
		return b
	})
	ev.Flush = cloneFlush(ev.Flush)
	ev.Processes = slices.Clone(ev.Processes)
	ev.Transactions = slices.Clone(ev.Transactions)
	ev.Signatures = cloneSignatures(ev.Signatures)
	ev.Findings = cloneFindings(ev.Findings)
	return ev
}

func clonePtr[T any](p *T, clone func(T) T) *T {
	if p == nil {
		return nil
	}
	c := clone(*p)
	return &c
}

func cloneChannels(in []ChannelState) []ChannelState {
	out := slices.Clone(in)
	for i := range out {
		out[i] = cloneChannel(out[i])
	}
	return out
}

func cloneChannel(c ChannelState) ChannelState {
	c.Nodes = slices.Clone(c.Nodes)
	for i := range c.Nodes {
		c.Nodes[i].Endpoints = slices.Clone(c.Nodes[i].Endpoints)
	}
	return c
}

func cloneChannelList(l ChannelList) ChannelList {
	l.Names = slices.Clone(l.Names)
	sources := l.Sources
	l.Sources = maps.Clone(sources)
	for name, list := range sources {
		l.Sources[name] = slices.Clone(list)
	}
	return l
}

func cloneMetadata(m ConsenterMetadata) ConsenterMetadata {
	m.Bytes = slices.Clone(m.Bytes)
	m.Consenters = slices.Clone(m.Consenters)
	m.Changes = slices.Clone(m.Changes)
	return m
}

func cloneFindings(in []Finding) []Finding {
	out := slices.Clone(in)
	for i := range out {
		out[i].Evidence = slices.Clone(out[i].Evidence)
	}
	return out
}

func cloneFacts(f Facts) Facts {
	f.Orderers = slices.Clone(f.Orderers)
	for i := range f.Orderers {
		o := &f.Orderers[i]
		o.ServedCert = clonePtr(o.ServedCert, cloneCert)
		o.ClientCert = clonePtr(o.ClientCert, cloneCert)
		o.ServerCert = clonePtr(o.ServerCert, cloneCert)
		o.RaftState = slices.Clone(o.RaftState)
	}
	f.Brokers = slices.Clone(f.Brokers)
	for i := range f.Brokers {
		f.Brokers[i].Addresses, f.Brokers[i].Data = slices.Clone(f.Brokers[i].Addresses), slices.Clone(f.Brokers[i].Data)
	}
	f.Backup.WayBack = slices.Clone(f.Backup.WayBack)
	f.Kafka = clonePtr(f.Kafka, cloneKafka)
	f.ChannelList = cloneChannelList(f.ChannelList)
	f.Admins = slices.Clone(f.Admins)
	f.Channels = slices.Clone(f.Channels)
	for i := range f.Channels {
		c := &f.Channels[i]
		c.OrdererCapabilities = slices.Clone(c.OrdererCapabilities)
		c.ChannelCapabilities = slices.Clone(c.ChannelCapabilities)
		c.OrdererMSPs = slices.Clone(c.OrdererMSPs)
		c.MissingAdmins = slices.Clone(c.MissingAdmins)
		c.UntrustedConsenters = slices.Clone(c.UntrustedConsenters)
		c.ExpiringCAs = slices.Clone(c.ExpiringCAs)
		for j := range c.ExpiringCAs {
			c.ExpiringCAs[j] = cloneCert(c.ExpiringCAs[j])
		}
		c.Nodes = cloneChannel(ChannelState{Nodes: c.Nodes}).Nodes
	}
	f.Raft = clonePtr(f.Raft, cloneRaftFacts)
	return f
}

func cloneRaftFacts(f RaftFacts) RaftFacts {
	f.Operation = cloneOperation(f.Operation)
	f.Members, f.Witnesses = slices.Clone(f.Members), slices.Clone(f.Witnesses)
	f.Reached, f.Faults = slices.Clone(f.Reached), slices.Clone(f.Faults)
	return f
}

func cloneCert(c CertFacts) CertFacts {
	c.SANs = slices.Clone(c.SANs)
	return c
}

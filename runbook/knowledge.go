package runbook

import (
	"maps"
	"slices"
	"time"
)

// knowledge is what the events so far have taught. Steps read it; only learn
// and the runbook's handlers write it.
type knowledge struct {
	plan     Plan
	system   string
	channels []string // the system channel first, the rest sorted
	findings []Finding
	metadata *ConsenterMetadata
	// states is what was observed last of each channel, at observedAt.
	states     map[string]ChannelState
	observedAt time.Time
	// heights are proven: every node must have at least these from now on.
	heights map[string]uint64
	// intended and settled are the updates, by change and channel, that may
	// have been submitted, and those known to be in force.
	intended map[Change]map[string]bool
	settled  map[Change]map[string]bool
	backup   *BackupReceipt
	// changed is set once any mutating effect was intended, stopped once
	// processes may have been stopped.
	changed bool
	stopped bool
	// exiting is set once the first update that leaves maintenance on Raft was
	// intended; stayed once that update failed and every node of every channel
	// was then seen to be in maintenance still, until one was seen to have left.
	exiting bool
	stayed  bool
	// leaving are the channels of which an update that leaves maintenance on
	// Kafka, on the way back, may have been submitted.
	leaving map[string]bool
	// dataBytes is how much a backup has to copy, 0 if not known.
	dataBytes int64
	// signatures are what was seen last of the updates to be signed, by channel.
	signatures map[string]SignatureState
	// resumed is set by a resumption, and cleared when a step is done.
	resumed bool
	// running is what was seen last of the processes.
	running map[string]bool
	// reached says which orderers could be reached when the facts were gathered.
	reached     map[string]bool
	rollingBack bool
}

func newKnowledge(p Plan) *knowledge {
	return &knowledge{
		plan:     p,
		states:   map[string]ChannelState{},
		heights:  map[string]uint64{},
		intended: map[Change]map[string]bool{},
		settled:  map[Change]map[string]bool{},
		running:  map[string]bool{},
		leaving:  map[string]bool{},
		reached:  map[string]bool{},

		signatures: map[string]SignatureState{},
	}
}

// countRunning returns how many of a tier's processes were seen running last.
func (k *knowledge) countRunning(t Tier) int {
	n := 0
	for _, node := range k.nodes(t) {
		if k.running[node] {
			n++
		}
	}
	return n
}

// others returns all channels but the system channel.
func (k *knowledge) others() []string {
	if len(k.channels) == 0 {
		return nil
	}
	return k.channels[1:]
}

// nodes returns the names of the plan's processes of a tier.
func (k *knowledge) nodes(t Tier) []string {
	switch t {
	case TierOrderers:
		return k.plan.Orderers
	case TierBrokers:
		return k.plan.Brokers
	case TierZooKeeper:
		return k.plan.ZooKeeper
	default:
		return slices.Concat(k.plan.Orderers, k.plan.Brokers, k.plan.ZooKeeper)
	}
}

// named returns the processes that an effect is about: those that it names, or
// all of its tier; an effect on channels is about orderers.
func (k *knowledge) named(e Effect) []string {
	switch {
	case len(e.Nodes) > 0:
		return e.Nodes
	case e.Tier != "":
		return k.nodes(e.Tier)
	default:
		return k.plan.Orderers
	}
}

// switching reports whether any channel's type may have been changed.
func (k *knowledge) switching() bool { return len(k.intended[ChangeSwitchType]) > 0 }

// entering reports whether any channel may have been put into maintenance.
func (k *knowledge) entering() bool { return len(k.intended[ChangeEnterMaintenance]) > 0 }

func (k *knowledge) metadataHash() string {
	if k.metadata == nil {
		return ""
	}
	return k.metadata.Hash
}

// intend notes that an effect is about to be performed.
func (k *knowledge) intend(e Effect) {
	if e.Kind.Mutating() {
		k.changed = true
	}
	switch e.Kind {
	case SubmitUpdate:
		mark(k.intended, e.Change, e.Channel)
		switch e.Step {
		case StepExitNormal:
			k.exiting, k.stayed = true, false
		case StepRollbackNormal:
			k.leaving[e.Channel] = true
		}
	case StopNodes:
		k.stopped = true
	}
}

// observe keeps what an effect found, whether it is what was hoped for or not.
func (k *knowledge) observe(e Effect, ev Evidence, when time.Time) {
	for _, c := range seen(ev) {
		k.states[c.Name] = cloneChannel(c)
		k.observedAt = when
	}
	if k.rollingBack && looksBack(e) && departed(e, ev.Channels) != nil {
		k.stayed = false
	}
	for _, p := range ev.Processes {
		k.running[p.Node] = p.Running
	}
	k.observeSignatures(e, ev)
	if e.Kind == GatherFacts {
		k.findings = nil // all checks were made anew
		if ev.Facts != nil {
			k.dataBytes = ev.Facts.Backup.Needed
			for _, o := range ev.Facts.Orderers {
				k.reached[o.Node] = o.Error == ""
			}
		}
	}
	for _, f := range Downgrade(ev.Findings, k.plan.IgnoreChecks) {
		if !slices.ContainsFunc(k.findings, func(g Finding) bool { return g.Check == f.Check && g.Summary == f.Summary }) {
			k.findings = append(k.findings, f)
		}
	}
}

// seen returns the channels that an effect read on every node: to observe them,
// or among the facts that the checks judge.
func seen(ev Evidence) []ChannelState {
	if ev.Facts == nil {
		return ev.Channels
	}
	var out []ChannelState
	for _, c := range ev.Facts.Channels {
		out = append(out, ChannelState{Name: c.Name, System: c.System, Nodes: c.Nodes})
	}
	return out
}

// accept keeps what the evidence of a successful effect proves.
func (k *knowledge) accept(e Effect, ev Evidence) {
	switch e.Kind {
	case ListChannels:
		k.adoptChannels(*ev.ChannelList)
	case BuildMetadata:
		m := *ev.Metadata
		k.metadata = &m
	case SubmitUpdate:
		mark(k.settled, e.Change, e.Channel)
		if u := ev.Update; u != nil && u.Block > 0 {
			k.raise(e.Channel, u.Block+1)
		}
	case AwaitChannels:
		for _, c := range ev.Channels {
			k.raise(c.Name, highest(c))
		}
	case TakeBackup, VerifyBackup:
		b := *ev.Backup
		b.Heights = maps.Clone(b.Heights)
		k.backup = &b
	case RestoreBackup:
		k.heights = maps.Clone(k.backup.Heights)
	case SendTransactions:
		for _, t := range ev.Transactions {
			k.raise(t.Channel, t.Block+1)
		}
	case StartNodes:
		if e.Tier == TierOrderers {
			k.stopped = false
		}
	}
}

func (k *knowledge) adoptChannels(l ChannelList) {
	k.system = l.System
	rest := slices.DeleteFunc(slices.Clone(l.Names), func(n string) bool { return n == l.System })
	slices.Sort(rest)
	k.channels = slices.Compact(rest)
	if l.System != "" {
		k.channels = append([]string{l.System}, k.channels...)
	}
}

func (k *knowledge) raise(channel string, height uint64) {
	k.heights[channel] = max(k.heights[channel], height)
}

// minHeights returns the proven heights of the channels named.
func (k *knowledge) minHeights(channels []string) map[string]uint64 {
	out := map[string]uint64{}
	for _, c := range channels {
		if h, ok := k.heights[c]; ok {
			out[c] = h
		}
	}
	return out
}

// matrix returns the last observation of every known channel, in order.
func (k *knowledge) matrix() []ChannelState {
	out := make([]ChannelState, 0, len(k.states))
	for _, name := range k.channels {
		if c, ok := k.states[name]; ok {
			out = append(out, cloneChannel(c))
		}
	}
	return out
}

func highest(c ChannelState) uint64 {
	var h uint64
	for _, n := range c.Nodes {
		if n.Error == "" {
			h = max(h, n.Height)
		}
	}
	return h
}

func mark(m map[Change]map[string]bool, c Change, channel string) {
	if m[c] == nil {
		m[c] = map[string]bool{}
	}
	m[c][channel] = true
}

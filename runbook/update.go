package runbook

import "slices"

// The configuration updates and what the steps that make them share.

// expectAfter is what every node must show once a change is in force.
func expectAfter(k *knowledge, c Change) Expectation {
	switch c {
	case ChangeAddConsenter, ChangeAddEndpoint, ChangeRemoveConsenter, ChangeRotateCertificates, ChangeSetOptions:
		return expectOnRaft(k, c)
	case ChangeEnterMaintenance:
		return Expectation{Type: TypeKafka, State: StateMaintenance, NoMetadata: true}
	case ChangeSwitchType:
		return Expectation{Type: TypeRaft, State: StateMaintenance, MetadataHash: k.metadataHash()}
	default:
		if k.rollingBack {
			return Expectation{Type: TypeKafka, State: StateNormal, NoMetadata: true}
		}
		return Expectation{Type: TypeRaft, State: StateNormal, MetadataHash: k.metadataHash()}
	}
}

// updateRound makes one change on every channel: on the system channel first,
// proven on every node, then on all others at once (R1). Where signatures come
// from elsewhere they are collected for all channels before that: each update is
// computed from its own channel's configuration alone.
func updateRound(c Change, hint string) []wave {
	return []wave{
		collectWave(c, allChannels),
		submitWave(c, systemChannel),
		awaitWave(systemChannel, func(k *knowledge) Expectation { return expectProven(k, c, systemChannel(k)) }, hint),
		submitWave(c, func(k *knowledge) []string { return k.others() }),
	}
}

// expectProven is expectAfter with heights. In maintenance nothing but
// configuration is ordered, so the nodes must agree entirely. Once a channel
// has left maintenance its ledger grows all the time and no two nodes need
// show the same end at the same moment; each must have what was proven.
func expectProven(k *knowledge, c Change, channels []string) Expectation {
	x := expectAfter(k, c)
	x.MinHeights = k.minHeights(channels)
	x.Agreement = x.State == StateMaintenance
	return x
}

// updating is what an effect that is about a change must say of it.
func (k *knowledge) updating(c Change) Effect {
	e := Effect{Change: c}
	if c == ChangeSwitchType || c.OnRaft() {
		e.Metadata = slices.Clone(k.metadata.Bytes)
	}
	if c.OnRaft() {
		e.Nodes = k.provers(c)
	}
	if c == ChangeAddEndpoint || c == ChangeRemoveConsenter {
		e.Endpoint, e.Operation = k.plan.Operation.Endpoint, operated(k)
	}
	return e
}

func submitWave(c Change, channels func(k *knowledge) []string) wave {
	return wave{
		effects: func(k *knowledge) []Effect {
			var out []Effect
			for _, name := range channels(k) {
				e := k.updating(c)
				e.Kind, e.Channel = SubmitUpdate, name
				out = append(out, e)
			}
			return out
		},
		judge: accepted,
	}
}

// verifyUpdate asks whether an update that was perhaps submitted is in force.
// One node that shows it is proof: nodes apply the channel's one sequence of
// blocks. That none shows it is believed only if all could be read.
var verifyUpdate = verification{
	ask: func(k *knowledge, e Effect) *Effect {
		if e.Kind != SubmitUpdate {
			return nil // starting is simply done again
		}
		x := expectAfter(k, e.Change)
		return &Effect{Kind: AwaitChannels, Channels: []string{e.Channel}, Nodes: e.Nodes, Expect: &x, Timeout: settle}
	},
	holds: func(k *knowledge, e Effect, answer *Evidence) (bool, *Problem) {
		cannot := &Problem{
			What: "cannot tell whether the update is in force", Where: e.Channel,
			Hint: "Make every orderer reachable and retry; nothing is submitted before this is known.",
		}
		if answer == nil || unseen(k.named(e), []string{e.Channel}, answer.Channels) != nil {
			return false, cannot
		}
		for _, c := range answer.Channels {
			if c.Name != e.Channel {
				continue
			}
			for _, n := range c.Nodes {
				if n.Error == "" && shows(n, expectAfter(k, e.Change)) {
					return true, nil
				}
				if n.Error != "" {
					cannot.Where, cannot.Why = at(c.Name, n.Node), n.Error
				}
			}
		}
		if cannot.Why != "" {
			return false, cannot
		}
		return false, nil
	},
}

// shows reports whether a node has the type, state and metadata expected.
func shows(n NodeState, x Expectation) bool {
	return n.Type == x.Type && n.State == x.State && (x.MetadataHash == "" || n.MetadataHash == x.MetadataHash) &&
		(x.Endpoint == "" || slices.Contains(n.Endpoints, x.Endpoint)) &&
		(x.NoEndpoint == "" || !slices.Contains(n.Endpoints, x.NoEndpoint))
}

package runbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// OperationRules returns the invariants of every operation on Raft.
func OperationRules() []Rule {
	return []Rule{
		{"O1", "Nothing is changed before every check was made and found no error.", checkedFirst},
		{"O2", "Every channel gets the same Raft metadata, by the one change that the plan names.", oneChange},
		{"O3", "In every round of updates the system channel, or else the first channel, comes first, proven on every witness.", firstChannelFirst},
		{"O4", "Only the node that the plan names is stopped or started, and only after the update was proven on every witness of every channel.", oneNode},
		{"O5", "A node's certificates are replaced only while it is down.", installedDown},
		{"O6", "The endpoint of a new consenter joins only once the consenter was seen to have the newest block of every channel, with a leader.", endpointLast},
	}
}

// raftUpdates are the updates of the operation, in the order of their intents.
func (h *history) raftUpdates() []deed {
	return h.of(SubmitUpdate, nil)
}

func checkedFirst(h *history) string {
	for _, d := range h.deeds {
		if !d.Kind.Mutating() {
			continue
		}
		checked := h.of(GatherFacts, func(f deed) bool {
			return f.done && f.ended < d.begun && Worst(Downgrade(f.evidence.Findings, h.plan.IgnoreChecks)) != SeverityError
		})
		if len(checked) == 0 {
			return describe(d.Effect) + " before the checks"
		}
		return ""
	}
	return ""
}

func oneChange(h *history) string {
	updates := h.raftUpdates()
	for _, d := range updates {
		switch {
		case d.Change == ChangeAddEndpoint && h.plan.Operation.Kind == AddConsenter:
		case d.Change != h.plan.Operation.Change():
			return fmt.Sprintf("%s on %s is not what the plan is about", d.Change, d.Channel)
		}
		endpoint := h.plan.Operation.Endpoint
		if d.Change != ChangeAddEndpoint && d.Change != ChangeRemoveConsenter {
			endpoint = ""
		}
		switch {
		case len(d.Metadata) == 0 || !bytes.Equal(d.Metadata, updates[0].Metadata):
			return fmt.Sprintf("%s got other metadata than %s", d.Channel, updates[0].Channel)
		case d.Endpoint != endpoint:
			return d.Channel + " got another endpoint than the plan has"
		}
	}
	return ""
}

// goal is what witnesses show once an update is in force.
func goal(d deed) Expectation {
	sum := sha256.Sum256(d.Metadata)
	x := Expectation{Type: TypeRaft, State: StateNormal, MetadataHash: hex.EncodeToString(sum[:])}
	switch d.Change {
	case ChangeAddEndpoint:
		x.Endpoint = d.Endpoint
	case ChangeRemoveConsenter:
		x.NoEndpoint = d.Endpoint
	}
	return x
}

// witnessed reports whether, before a position, every witness of an update was
// seen to show its goal on a channel, last.
func (h *history) witnessed(channel string, u deed, before int) bool {
	c, ok := h.seen(channel, -1, before)
	if !ok || len(u.Nodes) == 0 {
		return false
	}
	for _, node := range u.Nodes {
		if !slices.ContainsFunc(c.Nodes, func(n NodeState) bool { return n.Node == node }) {
			return false
		}
	}
	return len(goal(u).Judge([]ChannelState{c})) == 0
}

func firstChannelFirst(h *history) string {
	for _, d := range h.raftUpdates() {
		channels := h.channels(d.begun)
		if len(channels) == 0 {
			return d.Channel + " was updated before the channels were listed"
		}
		first := h.system(d.begun)
		if first == "" {
			first = slices.Min(channels)
		}
		if d.Channel != first && !h.witnessed(first, d, d.begun) {
			return fmt.Sprintf("%s was updated before %s was proven", d.Channel, first)
		}
	}
	return ""
}

func oneNode(h *history) string {
	o := h.plan.Operation
	for _, d := range h.deeds {
		switch d.Kind {
		case TakeBackup, RestoreBackup, RemoveRaftState:
			return describe(d.Effect) + " is no part of an operation on Raft"
		case StopNodes, StartNodes, HandOverBlock, JoinChannel, InstallCertificates:
		default:
			continue
		}
		if o.Kind == SetOptions || !slices.Equal(d.Nodes, []string{o.Node}) {
			return fmt.Sprintf("%s is about %v", d.Kind, d.Nodes)
		}
		updates := h.of(SubmitUpdate, func(u deed) bool { return u.begun < d.begun })
		if len(updates) == 0 {
			return describe(d.Effect) + " before any update"
		}
		for _, c := range h.channels(d.begun) {
			if !h.witnessed(c, updates[0], d.begun) {
				return fmt.Sprintf("%s before %s was proven", describe(d.Effect), c)
			}
		}
	}
	return ""
}

func installedDown(h *history) string {
	for _, d := range h.of(InstallCertificates, nil) {
		if !h.down(TierOrderers, d.begun) {
			return "certificates were replaced while " + list(d.Nodes) + " may have run"
		}
	}
	return ""
}

func endpointLast(h *history) string {
	updates := h.updates(ChangeAddEndpoint)
	if len(updates) == 0 {
		return ""
	}
	first := updates[0]
	started := -1
	for _, s := range h.of(StartNodes, func(s deed) bool { return s.done && s.ended < first.begun }) {
		started = s.ended
	}
	if started < 0 {
		return "an endpoint joined before its node was started"
	}
	x := goal(first)
	x.Endpoint, x.Leader = "", true
	for _, c := range h.channels(first.begun) {
		last, ok := h.seen(c, started, first.begun)
		if !ok || !slices.ContainsFunc(last.Nodes, func(n NodeState) bool { return n.Node == h.plan.Operation.Node }) ||
			len(x.Judge([]ChannelState{last})) > 0 {
			return "an endpoint joined before its node was proven to follow on " + c
		}
	}
	return ""
}

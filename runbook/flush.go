package runbook

import (
	"fmt"
	"slices"
)

// FlushState is the topic of one channel, and what the ledgers say of it, once
// the orderers are down. It proves that everything in Kafka is in the ledgers,
// everything in the ledgers is in Kafka, and Kafka has it on every replica.
type FlushState struct {
	Channel string `json:"channel"`
	// Error says why the topic could not be read; the rest is then void.
	Error string `json:"error,omitempty"`
	// Leader is a broker's ID, -1 for none; Replicas and InSync likewise.
	Leader   int32   `json:"leader"`
	Replicas []int32 `json:"replicas"`
	InSync   []int32 `json:"in_sync"`
	// Earliest is the first offset that is there, End the one behind the last,
	// EndBefore End as it was read some time before; -1 if it is not known.
	Earliest  int64       `json:"earliest"`
	End       int64       `json:"end"`
	EndBefore int64       `json:"end_before"`
	Nodes     []FlushNode `json:"nodes"`
	// Behind counts the records behind the last one that is in a block.
	Behind FlushRecords `json:"behind"`
}

// FlushNode is what one orderer's ledger says of its topic.
type FlushNode struct {
	Node   string `json:"node"`
	Height uint64 `json:"height"`
	// LastOffset is the offset of the last record that is in a block
	// (last_offset_persisted), -1 if no block came from Kafka.
	LastOffset int64  `json:"last_offset"`
	Error      string `json:"error,omitempty"`
}

// FlushRecords counts records by what an orderer that reads them does.
type FlushRecords struct {
	Connect   int `json:"connect,omitempty"`     // CONNECT: nothing
	TimeToCut int `json:"time_to_cut,omitempty"` // TTC of a block that is there: nothing
	// Refused were accepted under an older configuration, and are refused in
	// maintenance mode. Repeated stand in a block under another offset.
	Refused  int `json:"refused,omitempty"`
	Repeated int `json:"repeated,omitempty"`
	Void     int `json:"void,omitempty"` // cannot be decoded: skipped
	// Pending would go into a block: they are in Kafka and in no ledger. Of the
	// first one there is its offset.
	Pending      int   `json:"pending,omitempty"`
	FirstPending int64 `json:"first_pending,omitempty"`
}

// total is how many records are counted.
func (r FlushRecords) total() int {
	return r.Connect + r.TimeToCut + r.Refused + r.Repeated + r.Void + r.Pending
}

// String names what there is, "nothing" if there is none.
func (r FlushRecords) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{r.Connect, "CONNECT"}, {r.TimeToCut, "TTC"}, {r.Refused, "refused in maintenance"}, {r.Repeated, "in a block already"},
		{r.Void, "not decodable"}, {r.Pending, "in no block"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return list(parts)
}

// String says what is proven of the channel.
func (f FlushState) String() string {
	last := int64(-1)
	for _, n := range f.Nodes {
		last = max(last, n.LastOffset)
	}
	return fmt.Sprintf("%s: ends at offset %d, the ledgers at %d, behind it %s; %d of %d replicas in sync",
		f.Channel, f.End-1, last, f.Behind, len(f.InSync), len(f.Replicas))
}

// JudgeFlush says why the states do not prove that the channels are flushed,
// nil if they do: every one of nodes must be in the evidence of every channel.
func JudgeFlush(channels, nodes []string, states []FlushState) *Problem {
	for _, name := range channels {
		i := slices.IndexFunc(states, func(f FlushState) bool { return f.Channel == name })
		if i < 0 {
			return unproven(name, "it was not looked at", "")
		}
		if p := states[i].judge(nodes); p != nil {
			return p
		}
	}
	return nil
}

// JudgeBrokers says which broker does not run, nil if all that are told do:
// Kafka counts a broker that has just died among those in sync for some seconds.
func JudgeBrokers(processes []ProcessState) *Problem {
	for _, p := range processes {
		if p.Tier == TierBrokers && !p.Running {
			return unproven(p.Node, "the broker is down: whether it has what the others have cannot be told", hintReplicas)
		}
	}
	return nil
}

func (f *FlushState) judge(nodes []string) *Problem {
	switch {
	case f.Error != "":
		return unproven(f.Channel, f.Error, hintReachKafka)
	case f.Leader < 0: // only a leader tells offsets, so there is nothing to compare with
		return unproven(f.Channel, fmt.Sprintf("its partition has no leader; its replicas are on brokers %v", f.Replicas), hintReplicas)
	}
	for i, node := range nodes {
		j := slices.IndexFunc(f.Nodes, func(n FlushNode) bool { return n.Node == node })
		switch {
		case j < 0:
			return unproven(at(f.Channel, node), "its ledger was not read", "")
		case f.Nodes[j].Error != "":
			return unproven(at(f.Channel, node), f.Nodes[j].Error, "")
		}
		if p := f.judgeNode(f.Nodes[j]); p != nil {
			return p
		}
		if first := f.Nodes[0]; i > 0 && f.Nodes[j].LastOffset != first.LastOffset {
			return unproven(f.Channel, fmt.Sprintf("%s has consumed up to offset %d, %s up to %d: one of them was stopped before it had read everything",
				first.Node, first.LastOffset, node, f.Nodes[j].LastOffset), hintConsume)
		}
	}
	switch {
	case f.Behind.Pending > 0:
		return unproven(f.Channel, fmt.Sprintf("%d records from offset %d on are in Kafka and in no ledger", f.Behind.Pending, f.Behind.FirstPending), hintConsume)
	case f.End != f.EndBefore:
		return unproven(f.Channel, fmt.Sprintf("its topic grew from offset %d to %d while the orderers were down: something else writes to it", f.EndBefore, f.End),
			"Find out who writes to Kafka, stop it and retry.")
	case len(f.InSync) < len(f.Replicas):
		return unproven(f.Channel, fmt.Sprintf("of the replicas on brokers %v only %v are in sync", f.Replicas, f.InSync), hintReplicas)
	case len(f.Replicas) == 0:
		return unproven(f.Channel, "its partition has no replica", hintReplicas)
	}
	return nil
}

// judgeNode compares one ledger with the topic: neither may lack what the
// other has.
func (f *FlushState) judgeNode(n FlushNode) *Problem {
	switch {
	case n.LastOffset >= f.End:
		return unproven(at(f.Channel, n.Node), fmt.Sprintf("its ledger holds offset %d, Kafka ends at %d: Kafka has lost records, and the orderer would not start again",
			n.LastOffset, f.End-1), "Do not restart anything: find out which broker has the records (log.dirs, brokers that are down).")
	case n.LastOffset >= 0 && f.Earliest > n.LastOffset+1:
		return unproven(at(f.Channel, n.Node), fmt.Sprintf("its ledger ends at offset %d, the first that Kafka still has is %d: records between them were deleted",
			n.LastOffset, f.Earliest), "Do not restart anything: with retention the orderer cannot go on. Set log.retention.ms=-1 and look for another replica.")
	default:
		return nil
	}
}

const (
	hintReachKafka = "See that the brokers serve and that raftmig can ask them (kafka: in raftmig.yaml), then retry. Going back starts everything again."
	hintConsume    = "Go back: it starts the orderers again, and they read the rest. Then begin a new run."
	hintReplicas   = "Start the brokers that are down, wait until they have caught up, and retry. Brokers are not stopped before that."
)

func unproven(where, why, hint string) *Problem {
	if hint == "" {
		hint = "Retry. Going back starts everything again."
	}
	return &Problem{What: "it is not proven that Kafka and the ledgers hold the same", Where: where, Why: why, Hint: hint, Ref: guideBackup}
}

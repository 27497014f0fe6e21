package validate

import (
	"fmt"
	"sort"
)

// Sent is a transaction of a load.
type Sent struct {
	TxID    string
	Channel string
	// Acknowledged: a node answered SUCCESS.
	Acknowledged bool
	// Resent: it was sent more than once after an unclear answer, so that it may
	// be in the ledger more than once.
	Resent bool
}

// Node is a node and its ledger folder (FileLedger.Location).
type Node struct {
	Name      string
	LedgerDir string
}

// Counts are numbers of transactions.
type Counts struct {
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
	// Committed transactions are in the ledger at least once.
	Committed int `json:"committed"`
	// Missing transactions were acknowledged and are not in the ledger.
	Missing int `json:"missing"`
	// Duplicated transactions are in the ledger more often than once, though
	// they were not sent more often.
	Duplicated int `json:"duplicated"`
	// DuplicatedResent were sent more often.
	DuplicatedResent int `json:"duplicated_resent,omitempty"`
}

func (c *Counts) add(o Counts) {
	c.Sent += o.Sent
	c.Acknowledged += o.Acknowledged
	c.Committed += o.Committed
	c.Missing += o.Missing
	c.Duplicated += o.Duplicated
	c.DuplicatedResent += o.DuplicatedResent
}

// ChannelReport is the finding for one channel.
type ChannelReport struct {
	Channel string `json:"channel"`
	Counts
	Heights map[string]uint64 `json:"heights"` // node → height
	// LastHash is the header hash of the newest block that all nodes have.
	LastHash string `json:"last_hash"`
	// Problems: forks, nodes that lack the channel or blocks, damage.
	Problems []string `json:"problems,omitempty"`
	// MissingIDs are up to ten of the missing transactions.
	MissingIDs []string `json:"missing_ids,omitempty"`
}

// Report is the finding for a network.
type Report struct {
	Counts
	Channels []ChannelReport `json:"channels"`
}

// OK tells whether nothing is missing, duplicated, forked or damaged.
func (r *Report) OK() bool {
	for _, c := range r.Channels {
		if len(c.Problems) > 0 {
			return false
		}
	}
	return r.Missing == 0 && r.Duplicated == 0
}

// Check compares what was sent with the ledgers of all nodes. Channels are all
// that a node has or that something was sent to.
func Check(nodes []Node, sent []Sent) (*Report, error) {
	names := map[string]bool{}
	for _, n := range nodes {
		channels, err := Channels(n.LedgerDir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		for _, c := range channels {
			names[c] = true
		}
	}
	byChannel := map[string][]Sent{}
	for _, s := range sent {
		names[s.Channel] = true
		byChannel[s.Channel] = append(byChannel[s.Channel], s)
	}
	r := &Report{Channels: []ChannelReport{}}
	for _, name := range sorted(names) {
		ledgers := make([]*Ledger, len(nodes))
		for i, n := range nodes {
			ledgers[i] = ReadLedger(n.Name, n.LedgerDir, name)
		}
		c := checkChannel(name, ledgers, byChannel[name])
		r.Counts.add(c.Counts)
		r.Channels = append(r.Channels, c)
	}
	return r, nil
}

func sorted(set map[string]bool) []string {
	var names []string
	for n := range set {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func checkChannel(name string, ledgers []*Ledger, sent []Sent) ChannelReport {
	c := ChannelReport{Channel: name, Heights: map[string]uint64{}}
	problem := func(format string, args ...any) { c.Problems = append(c.Problems, fmt.Sprintf(format, args...)) }
	if len(ledgers) == 0 {
		problem("there is no node to read it from")
		return c
	}
	longest, shortest := ledgers[0], ledgers[0]
	for _, l := range ledgers {
		c.Heights[l.Node] = l.Height()
		if l.Err != nil {
			problem("%s: %v", l.Node, l.Err)
		}
		if l.Height() > longest.Height() {
			longest = l
		}
		if l.Height() < shortest.Height() {
			shortest = l
		}
	}
	for _, l := range ledgers {
		if n, forked := firstDifference(l, longest); forked {
			problem("%s and %s have different blocks %d", l.Node, longest.Node, n)
		}
		if l.Height() < longest.Height() {
			problem("%s has height %d, %s has %d", l.Node, l.Height(), longest.Node, longest.Height())
		}
	}
	c.LastHash = shortest.LastHash()
	for _, s := range sent {
		c.count(s, longest.Transactions[s.TxID])
	}
	return c
}

func firstDifference(a, b *Ledger) (uint64, bool) {
	for i := range min(len(a.Hashes), len(b.Hashes)) {
		if a.Hashes[i] != b.Hashes[i] {
			return uint64(i), true
		}
	}
	return 0, false
}

const listed = 10

func (c *ChannelReport) count(s Sent, times int) {
	c.Sent++
	if s.Acknowledged {
		c.Acknowledged++
	}
	switch {
	case times == 0 && s.Acknowledged:
		c.Missing++
		if len(c.MissingIDs) < listed {
			c.MissingIDs = append(c.MissingIDs, s.TxID)
		}
	case times == 0:
	case times == 1:
		c.Committed++
	case s.Resent:
		c.Committed++
		c.DuplicatedResent++
	default:
		c.Committed++
		c.Duplicated++
	}
}

package testnet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"raftmig/testnet/validate"
)

// Status is the state of a network as processes and ledgers show it.
type Status struct {
	Name     string          `json:"name"`
	Dir      string          `json:"dir"`
	Nodes    []NodeStatus    `json:"nodes"`
	Channels []ChannelStatus `json:"channels"`
}

// NodeStatus is the state of a process.
type NodeStatus struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // orderers, brokers or zookeeper
	Running   bool      `json:"running"`
	PID       int       `json:"pid,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	Addresses []string  `json:"addresses"`
	Log       string    `json:"log"`
}

// ChannelStatus is the state of a channel as the ledgers have it.
type ChannelStatus struct {
	Name        string            `json:"name"`
	System      bool              `json:"system"`
	Type        string            `json:"type"` // consensus type, "" if no node has the channel
	Maintenance bool              `json:"maintenance"`
	Heights     map[string]uint64 `json:"heights"` // node → height
	Problems    []string          `json:"problems,omitempty"`
}

// Up tells whether all nodes of a kind run.
func (s *Status) Up(kind string) bool {
	for _, n := range s.Nodes {
		if n.Kind == kind && !n.Running {
			return false
		}
	}
	return true
}

// Status reads the state of all processes and ledgers. It changes nothing and
// works whatever runs.
func (n *Network) Status(ctx context.Context) (*Status, error) {
	s := &Status{Name: n.Manifest.Name, Dir: n.Dir, Channels: []ChannelStatus{}}
	add := func(name, log string, addresses []string) error {
		st, err := n.controllers[name].Status(ctx)
		if err != nil {
			return err
		}
		s.Nodes = append(s.Nodes, NodeStatus{
			Name: name, Kind: string(st.Tier), Running: st.Running, PID: st.PID, StartedAt: st.StartedAt, Addresses: addresses, Log: log,
		})
		return nil
	}
	for i := range n.Inventory.Orderers {
		p := &n.Inventory.Orderers[i].Process
		if err := add(p.Name, p.Log, p.AllAddresses()); err != nil {
			return nil, err
		}
	}
	for _, p := range slices.Concat(n.Inventory.Brokers, n.Inventory.ZooKeeper) {
		if err := add(p.Name, p.Log, p.AllAddresses()); err != nil {
			return nil, err
		}
	}
	for _, name := range n.channelNames() {
		s.Channels = append(s.Channels, n.channelStatus(name))
	}
	return s, nil
}

func (n *Network) channelStatus(name string) ChannelStatus {
	c := ChannelStatus{Name: name, System: name == n.Manifest.Spec.SystemChannel, Heights: map[string]uint64{}}
	var longest uint64
	for _, node := range n.LedgerNodes() {
		l := validate.ReadLedger(node.Name, node.LedgerDir, name)
		c.Heights[node.Name] = l.Height()
		if l.Err != nil {
			c.Problems = append(c.Problems, fmt.Sprintf("%s: %v", node.Name, l.Err))
		}
		if l.Height() > longest {
			longest, c.Type, c.Maintenance = l.Height(), l.Type, l.Maintenance
		}
	}
	return c
}

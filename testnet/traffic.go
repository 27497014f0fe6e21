package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/dial"
	"raftmig/orderer/protoutil"
	"raftmig/testnet/load"
	"raftmig/testnet/validate"
)

// HistoryFile keeps what became of every transaction that was ever sent to the
// network with Load.
func (n *Network) HistoryFile() string { return filepath.Join(n.Dir, "load", "history.jsonl") }

// Traffic says what Load sends. Zero values take package load's defaults; no
// channels means all application channels, no nodes all orderers.
type Traffic struct {
	Channels     []string
	Nodes        []string // that transactions are sent to, in turn
	Transactions int      // in all
	Size         int      // bytes of content each
	Streams      int
	Resend       load.Resend
	Progress     func(done int)
}

// Load sends transactions and records them in HistoryFile.
func (n *Network) Load(ctx context.Context, t Traffic) (*load.Result, error) {
	signers := map[string]protoutil.Signer{}
	for _, c := range n.Manifest.Channels {
		if len(t.Channels) > 0 && !slices.Contains(t.Channels, c.Name) {
			continue
		}
		id, err := n.identity(c.Client)
		if err != nil {
			return nil, err
		}
		signers[c.Name] = id
	}
	var names []string
	for _, c := range n.Manifest.Channels {
		if signers[c.Name] != nil {
			names = append(names, c.Name)
		}
	}
	for _, want := range t.Channels {
		if signers[want] == nil {
			return nil, fmt.Errorf("the network has no channel %q", want)
		}
	}
	nodes := n.OrdererNames()
	for _, want := range t.Nodes {
		if !slices.Contains(nodes, want) {
			return nil, fmt.Errorf("the network has no orderer %q", want)
		}
	}
	if len(t.Nodes) > 0 {
		nodes = t.Nodes
	}
	pool := dial.New(n.Inventory.Orderers, nil)
	defer pool.Close() //nolint:errcheck // nothing is lost with a connection
	return load.Run(ctx, broadcast.New(pool), load.Options{
		Channels: names, Nodes: nodes, Transactions: t.Transactions, Size: t.Size, Streams: t.Streams, Resend: t.Resend,
		Signer:  func(channel string) protoutil.Signer { return signers[channel] },
		History: n.HistoryFile(), Progress: t.Progress,
	})
}

// Validate compares everything that was ever sent with the ledgers of all
// nodes. It reads files only and works whatever runs; while nodes run, one may
// be a block behind.
func (n *Network) Validate() (*validate.Report, error) {
	sent, err := validate.ReadHistory(n.HistoryFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return validate.Check(n.LedgerNodes(), sent)
}

// AwaitAgreement validates until nothing is missing, nodes have equal heights
// and all agree, or ctx ends; it returns the last report.
func (n *Network) AwaitAgreement(ctx context.Context) (*validate.Report, error) {
	var r *validate.Report
	var err error
	waited := every(ctx, 2*createPause, func() bool {
		r, err = n.Validate()
		return err != nil || r.OK()
	})
	if err != nil {
		return nil, err
	}
	_ = waited // the report says what is wrong
	return r, nil
}

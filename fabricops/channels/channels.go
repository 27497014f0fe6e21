// Package channels works on channel configurations outside of any run: it
// fetches them, makes updates, has them signed in files that travel between
// administrators, and submits them. The files are those of Fabric's peer.
package channels

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Network is the ordering nodes of an inventory, as its first administrator
// reaches them. Close releases it.
type Network struct {
	pool      *dial.Pool
	deliver   *deliver.Client
	submitter *channelcfg.Submitter
}

// Open prepares the connections; nothing is sent.
func Open(inv *inventory.Network) (*Network, error) {
	id, err := identity.Load(inv.Administrators()[0])
	if err != nil {
		return nil, err
	}
	pool := dial.New(inv.Orderers, id.TLS)
	reader := deliver.New(pool, id)
	return &Network{
		pool: pool, deliver: reader,
		submitter: &channelcfg.Submitter{
			Deliver: reader, Broadcast: broadcast.New(pool), Admins: []protoutil.Signer{id},
			Nodes: pool.Nodes(), TLSCertHash: pool.TLSCertHash(), Now: time.Now,
		},
	}, nil
}

// Close ends all connections.
func (n *Network) Close() error { return n.pool.Close() }

// Fetched is the last config block that a node has of a channel.
type Fetched struct {
	Channel  string `json:"channel"`
	Node     string `json:"node"`
	Block    uint64 `json:"block"`
	Sequence uint64 `json:"sequence"`
	Type     string `json:"type,omitempty"`
	State    string `json:"state,omitempty"`
	Hash     string `json:"hash,omitempty"`  // of the block's header
	File     string `json:"file,omitempty"`  // that it was written to
	Error    string `json:"error,omitempty"` // why the node could not be read

	View *channelcfg.View `json:"-"`
}

// Newest fetches the newest configuration that any node has.
func (n *Network) Newest(ctx context.Context, channel string) (Fetched, error) {
	v, node, err := n.submitter.Read(ctx, channel)
	if err != nil {
		return Fetched{}, err
	}
	return fetched(v, node), nil
}

// From fetches what one node has.
func (n *Network) From(ctx context.Context, channel, node string) (Fetched, error) {
	if !slices.Contains(n.pool.Nodes(), node) {
		return Fetched{}, fmt.Errorf("%w: %s; there are %s", dial.ErrUnknownNode, node, strings.Join(n.pool.Nodes(), ", "))
	}
	ctx, cancel := context.WithTimeout(ctx, deliver.HeadTimeout)
	defer cancel()
	head, err := n.deliver.Head(ctx, node, channel, nil)
	if err != nil {
		return Fetched{}, err
	}
	v, err := channelcfg.FromBlock(head.Config)
	if err != nil {
		return Fetched{}, err
	}
	return fetched(v, node), nil
}

// FromEvery fetches what each node has, in the order of the inventory. A node
// that cannot be read has its Error set.
func (n *Network) FromEvery(ctx context.Context, channel string) []Fetched {
	nodes := n.pool.Nodes()
	all := make([]Fetched, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes {
		wg.Go(func() {
			var err error
			if all[i], err = n.From(ctx, channel, node); err != nil {
				all[i] = Fetched{Channel: channel, Node: node, Error: err.Error()}
			}
		})
	}
	wg.Wait()
	return all
}

func fetched(v *channelcfg.View, node string) Fetched {
	return Fetched{
		Channel: v.Channel, Node: node, Block: v.Number(), Sequence: v.Sequence(),
		Type: v.Type(), State: v.State(), Hash: v.Hash(), View: v,
	}
}

// Change computes one of the three updates of a migration; inv names the
// consenters of a type switch.
func Change(v *channelcfg.View, change runbook.Change, inv *inventory.Network) (*channelcfg.Update, error) {
	if change != runbook.ChangeSwitchType {
		return channelcfg.Build(v, change, nil)
	}
	md, err := consenters.Build(inv)
	if err != nil {
		return nil, err
	}
	return channelcfg.Build(v, change, md.Bytes)
}

// Submit sends an update with the signatures that it has, and waits for its
// block. A refusal for want of signatures is a runbook.Problem that says who
// has signed.
func (n *Network) Submit(ctx context.Context, u *channelcfg.Update, progress func(string)) (channelcfg.Result, error) {
	r, err := n.submitter.SubmitUpdate(ctx, u, progress)
	if err != nil && lacksSignatures(err.Error()) {
		err = unsigned(u, err)
	}
	return r, err
}

// lacksSignatures tells a policy that the signatures of an update do not satisfy,
// whatever its kind, from one that refuses whoever sends it, which has the same
// words about policies in it ("permission denied").
func lacksSignatures(refusal string) bool { return strings.Contains(refusal, " not satisfied: ") }

func unsigned(u *channelcfg.Update, refusal error) *runbook.Problem {
	p := &runbook.Problem{
		What: "the update does not have the signatures that the policy asks for", Where: u.Channel, Why: refusal.Error(),
		Hint: "Nobody has signed it. Have the file signed: raftmig sign, or peer channel signconfigtx.",
	}
	var have []string
	for _, s := range u.Signers() {
		have = append(have, s.MSPID)
	}
	if len(have) > 0 {
		p.Hint = "It has those of " + strings.Join(have, ", ") + ". Have the file signed by administrators of more organizations: raftmig sign, or peer channel signconfigtx."
	}
	return p
}

package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/protoutil"
)

// Timing of the creation of channels.
const (
	createPause = 50 * time.Millisecond
	lookTimeout = 5 * time.Second
)

// CreateChannels creates the application channels that are not there yet, or
// has all orderers join them where there is no system channel, and returns when every orderer serves all of them. The time that it may take is
// that of ctx. progress may be nil.
func (n *Network) CreateChannels(ctx context.Context, progress func(text string)) error {
	say := serial(progress)
	return n.exclusive(func() error {
		pool := dial.New(n.Inventory.Orderers, nil)
		defer pool.Close() //nolint:errcheck // nothing is lost with a connection
		var g errgroup.Group
		g.SetLimit(8)
		for i := range n.Manifest.Channels {
			c := n.Manifest.Channels[i]
			g.Go(func() error {
				if err := n.createChannel(ctx, pool, c); err != nil {
					return fmt.Errorf("creating channel %s: %w", c.Name, err)
				}
				say("channel " + c.Name + " is there")
				return nil
			})
		}
		return g.Wait()
	})
}

func (n *Network) createChannel(ctx context.Context, pool *dial.Pool, c Channel) error {
	reader, err := n.identity(c.Client)
	if err != nil {
		return err
	}
	look := deliver.New(pool, reader)
	nodes := n.OrdererNames()
	exists := func(node string) error {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		_, err := look.Newest(ctx, node, c.Name)
		return err
	}
	if c.Genesis != "" {
		for _, o := range n.Manifest.Orderers {
			if exists(o.Name) == nil {
				continue
			}
			if err := n.join(ctx, o, c); err != nil {
				return err
			}
		}
	} else if exists(nodes[0]) != nil {
		env, err := n.creation(c)
		if err != nil {
			return err
		}
		if err := n.submit(ctx, pool, nodes[0], env, func() bool { return exists(nodes[0]) == nil }); err != nil {
			return err
		}
	}
	for _, node := range nodes {
		var last error
		err := every(ctx, createPause, func() bool { last = exists(node); return last == nil })
		if err != nil {
			return fmt.Errorf("%s does not serve it: %w", node, errors.Join(err, last))
		}
	}
	if c.Config == "" {
		return nil
	}
	return n.configure(ctx, pool, c)
}

// configure updates a channel that was just created to its Config.
func (n *Network) configure(ctx context.Context, pool *dial.Pool, c Channel) error {
	data, err := os.ReadFile(filepath.Join(n.Dir, filepath.FromSlash(c.Config)))
	if err != nil {
		return fmt.Errorf("reading its configuration: %w", err)
	}
	target := &cb.Config{}
	if err := proto.Unmarshal(data, target); err != nil {
		return fmt.Errorf("%s: %w", c.Config, err)
	}
	var signers []protoutil.Signer
	for _, id := range append([]Identity{c.Creator}, c.Signers...) {
		signer, err := n.identity(id)
		if err != nil {
			return err
		}
		signers = append(signers, signer)
	}
	submitter := &channelcfg.Submitter{
		Deliver: deliver.New(pool, signers[0]), Broadcast: broadcast.New(pool), Admins: signers[:1], Nodes: pool.Nodes(), Now: time.Now,
	}
	v, _, err := submitter.Read(ctx, c.Name)
	if err != nil {
		return err
	}
	if v.Number() > 0 { // it was updated before, by this or by somebody else
		return nil
	}
	u, err := channelcfg.BuildEdited(v, v.Config, target)
	if err != nil {
		return err
	}
	for _, signer := range signers {
		if err := u.Sign(signer); err != nil {
			return err
		}
	}
	_, err = submitter.SubmitUpdate(ctx, u, func(string) {})
	return err
}

// submit sends the creation until it is accepted or turns out to be done.
func (n *Network) submit(ctx context.Context, pool *dial.Pool, node string, env *cb.Envelope, done func() bool) error {
	send := broadcast.New(pool)
	var last error
	err := every(ctx, 5*createPause, func() bool {
		last = send.Send(ctx, node, env)
		var refused *broadcast.StatusError
		if errors.As(last, &refused) && !refused.Retryable() {
			return true
		}
		return last == nil || done()
	})
	if last == nil || done() {
		return nil
	}
	return errors.Join(err, last)
}

// every calls done until it returns true or ctx ends.
func every(ctx context.Context, pause time.Duration, done func() bool) error {
	t := time.NewTicker(pause)
	defer t.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	return nil
}

func (n *Network) identity(id Identity) (*identity.Identity, error) {
	return identity.Load(inventory.Identity{MSPID: id.MSPID, MSPDir: filepath.Join(n.Dir, filepath.FromSlash(id.MSPDir))})
}

// creation signs the channel-create transaction as its creator.
func (n *Network) creation(c Channel) (*cb.Envelope, error) {
	data, err := os.ReadFile(filepath.Join(n.Dir, filepath.FromSlash(c.CreateTx)))
	if err != nil {
		return nil, fmt.Errorf("reading the channel-create transaction: %w", err)
	}
	env, err := protoutil.UnmarshalEnvelope(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.CreateTx, err)
	}
	signer, err := n.identity(c.Creator)
	if err != nil {
		return nil, err
	}
	update, err := protoutil.EnvelopeToConfigUpdate(env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.CreateTx, err)
	}
	for _, id := range append([]Identity{c.Creator}, c.Signers...) {
		signer, err := n.identity(id)
		if err != nil {
			return nil, err
		}
		signature, err := signUpdate(signer, update.ConfigUpdate)
		if err != nil {
			return nil, fmt.Errorf("signing the creation: %w", err)
		}
		update.Signatures = append(update.Signatures, signature)
	}
	return protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: c.Name, Time: time.Now(), Data: update,
	}, signer)
}

// signUpdate signs a configuration update as one of its administrators.
func signUpdate(signer protoutil.Signer, update []byte) (*cb.ConfigSignature, error) {
	sh, err := protoutil.NewSignatureHeader(signer)
	if err != nil {
		return nil, err
	}
	header, err := protoutil.Marshal(sh)
	if err != nil {
		return nil, err
	}
	sig, err := signer.Sign(append(append([]byte(nil), header...), update...))
	return &cb.ConfigSignature{SignatureHeader: header, Signature: sig}, err
}

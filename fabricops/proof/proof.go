// Package proof shows that a channel orders transactions: it sends one and
// finds it in a block on every ordering node.
package proof

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/deliver"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

const (
	channelsAtATime = 24
	sendTimeout     = 10 * time.Second
	// waitTimeout is how long a sent transaction may take, beside the channel's
	// batch timeout, before another is sent.
	waitTimeout = 15 * time.Second
	firstPause  = 200 * time.Millisecond
	lastPause   = 2 * time.Second
)

// Prover sends transactions. It is safe for concurrent use.
type Prover struct {
	Deliver   *deliver.Client
	Broadcast *broadcast.Client
	Nodes     []string
	// Signer is the identity that may write to a channel.
	Signer      func(channel string) (protoutil.Signer, error)
	TLSCertHash []byte
	Now         func() time.Time
	// Text is the content of the transactions.
	Text string
}

// Prove sends one transaction to each channel and returns where it was found.
// The proofs of channels that succeeded come back with the error of the others.
func (p *Prover) Prove(ctx context.Context, channels []string, progress func(text string, done int)) ([]runbook.TransactionProof, error) {
	var (
		mu     sync.Mutex
		proofs = make([]*runbook.TransactionProof, len(channels))
		errs   = make([]error, len(channels))
		done   int
		group  errgroup.Group
	)
	group.SetLimit(channelsAtATime)
	for i, channel := range channels {
		group.Go(func() error {
			proofs[i], errs[i] = p.channel(ctx, channel)
			mu.Lock()
			defer mu.Unlock()
			done++
			if errs[i] == nil {
				progress(fmt.Sprintf("%s: transaction in block %d on every node", channel, proofs[i].Block), done)
			} else {
				progress(errs[i].Error(), done)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	var out []runbook.TransactionProof
	for _, proof := range proofs {
		if proof != nil {
			out = append(out, *proof)
		}
	}
	return out, errors.Join(errs...)
}

// channel tries until a transaction is seen on every node or ctx ends. Every
// attempt is a new transaction, so that none is ever ordered twice.
func (p *Prover) channel(ctx context.Context, channel string) (*runbook.TransactionProof, error) {
	signer, err := p.Signer(channel)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", channel, err)
	}
	var last error
	for attempt, pause := 0, firstPause; ; attempt++ {
		proof, err := p.attempt(ctx, channel, p.Nodes[attempt%len(p.Nodes)], signer)
		if err == nil {
			return proof, nil
		}
		if last == nil || ctx.Err() == nil { // the end of the time explains nothing
			last = err
		}
		var refused *broadcast.StatusError
		var unread *deliver.StatusError
		if errors.As(err, &refused) && !refused.Retryable() || errors.As(err, &unread) && unread.Final() {
			return nil, fmt.Errorf("channel %s: %w", channel, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("channel %s: no transaction was ordered: %w", channel, last)
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (p *Prover) attempt(ctx context.Context, channel, to string, signer protoutil.Signer) (*runbook.TransactionProof, error) {
	from, batch, err := p.start(ctx, channel)
	if err != nil {
		return nil, err
	}
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_MESSAGE, ChannelID: channel, Time: p.Now(), TLSCertHash: p.TLSCertHash, Bytes: []byte(p.Text),
	}, signer)
	if err != nil {
		return nil, err
	}
	h, err := protoutil.ChannelHeader(env)
	if err != nil {
		return nil, err
	}
	sendCtx, cancelSend := context.WithTimeout(ctx, sendTimeout)
	defer cancelSend()
	if err := p.Broadcast.Send(sendCtx, to, env); err != nil && !errors.Is(err, broadcast.ErrUnknownOutcome) {
		return nil, err
	}
	waitCtx, cancel := context.WithTimeout(ctx, waitTimeout+batch)
	defer cancel()
	blocks := make([]uint64, len(p.Nodes))
	group, waitCtx := errgroup.WithContext(waitCtx)
	for i, node := range p.Nodes {
		group.Go(func() error {
			var err error
			blocks[i], err = p.find(waitCtx, node, channel, from[i], h.TxId)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, b := range blocks {
		if b != blocks[0] {
			return nil, fmt.Errorf("the transaction is in block %d on %s and in block %d on %s", blocks[0], p.Nodes[0], b, p.Nodes[i])
		}
	}
	return &runbook.TransactionProof{Channel: channel, TxID: h.TxId, Block: blocks[0]}, nil
}

// start returns the number of each node's next block, and the batch timeout.
func (p *Prover) start(ctx context.Context, channel string) (from []uint64, batch time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, deliver.HeadTimeout)
	defer cancel()
	from = make([]uint64, len(p.Nodes))
	group, ctx := errgroup.WithContext(ctx)
	for i, node := range p.Nodes {
		group.Go(func() error {
			head, err := p.Deliver.Head(ctx, node, channel, nil)
			if err != nil {
				return err
			}
			from[i] = head.Height()
			if i > 0 {
				return nil
			}
			v, err := channelcfg.FromBlock(head.Config)
			if err == nil {
				batch = v.BatchTimeout()
			}
			return err
		})
	}
	err = group.Wait()
	return from, batch, err
}

// find follows a channel on a node until a block holds the transaction.
func (p *Prover) find(ctx context.Context, node, channel string, from uint64, txID string) (uint64, error) {
	var number uint64
	found := false
	err := p.Deliver.Follow(ctx, node, channel, from, func(b *cb.Block) (bool, error) {
		if Contains(b, txID) {
			number, found = b.Header.Number, true
		}
		return !found, nil
	})
	if found {
		return number, nil
	}
	if err == nil {
		err = errors.New("the stream ended")
	}
	return 0, fmt.Errorf("%s: the transaction was not seen in a block: %w", node, err)
}

// Contains reports whether a block holds the transaction with that ID.
func Contains(block *cb.Block, txID string) bool {
	for _, raw := range block.GetData().GetData() {
		env, err := protoutil.UnmarshalEnvelope(raw)
		if err != nil {
			continue
		}
		if h, err := protoutil.ChannelHeader(env); err == nil && h.TxId == txID {
			return true
		}
	}
	return false
}

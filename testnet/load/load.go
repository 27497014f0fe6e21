// Package load sends transactions to a rehearsal network and records what
// became of each as its sender saw it, so that package validate can tell
// afterwards whether an acknowledged transaction is missing.
//
// A transaction is an ENDORSER_TRANSACTION envelope of a client of the channel
// with random content; orderers look at its header and signature only.
package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/broadcast"
	"raftmig/orderer/protoutil"
	"raftmig/testnet/validate"
)

// Sender sends one envelope to a node and waits for the answer; see
// broadcast.Client.Send for its errors. One that also implements Opener is
// used with one stream for each worker.
type Sender interface {
	Send(ctx context.Context, node string, env *cb.Envelope) error
}

// Resend says when a transaction is sent again.
type Resend string

// Policies. A transaction that was refused for the moment
// (SERVICE_UNAVAILABLE) is always sent again, to the next node, until it is
// accepted or the load's time is over.
const (
	// ResendRefused leaves it at that: a transaction without an answer stays
	// unknown and is never in the ledger twice.
	ResendRefused Resend = "refused"
	// ResendUnknown also sends again what got no answer, as an application would
	// that must not lose anything. It may then be in the ledger twice.
	ResendUnknown Resend = "unknown"
)

// Options describe a load.
type Options struct {
	Channels     []string
	Nodes        []string
	Transactions int    // in all, spread over the channels
	Size         int    // bytes of content, default 200
	Streams      int    // that send at the same time, default 8
	Resend       Resend // default ResendRefused
	// Signer returns the client of a channel.
	Signer func(channel string) protoutil.Signer
	// History is the file that a record of each transaction is appended to.
	History string
	// Progress, if not nil, is called now and then with the number of finished
	// transactions.
	Progress func(done int)
}

// Result sums up a load.
type Result struct {
	Sent         int            `json:"sent"`
	Acknowledged int            `json:"acknowledged"`
	Refused      int            `json:"refused"`
	Unknown      int            `json:"unknown"`
	Seconds      float64        `json:"seconds"`
	PerChannel   map[string]int `json:"per_channel"` // acknowledged
	History      string         `json:"history"`
}

const (
	defaultSize    = 200
	defaultStreams = 8
	retryPause     = 50 * time.Millisecond
	// answerTimeout bounds one attempt: a node that does not answer within it
	// (paused, or waiting for a broker) counts as not answering.
	answerTimeout = 15 * time.Second
)

// Run sends the transactions and returns when each is acknowledged, refused
// for good, without an answer, or ctx ends. It returns what was done together
// with the error of ctx.
func Run(ctx context.Context, send Sender, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	h, err := openHistory(o.History)
	if err != nil {
		return nil, err
	}
	l := &run{Options: o, send: send, history: h, result: Result{PerChannel: map[string]int{}, History: o.History}}
	start := time.Now()
	var wg sync.WaitGroup
	for worker := range o.Streams {
		wg.Go(func() { l.work(ctx, worker) })
	}
	wg.Wait()
	l.result.Seconds = time.Since(start).Seconds()
	if err := errors.Join(l.failed, h.close()); err != nil {
		return &l.result, err
	}
	if l.result.Sent < o.Transactions {
		return &l.result, fmt.Errorf("%d of %d transactions were sent: %w", l.result.Sent, o.Transactions, ctx.Err())
	}
	return &l.result, nil
}

func (o *Options) check() error {
	if o.Size == 0 {
		o.Size = defaultSize
	}
	if o.Streams == 0 {
		o.Streams = defaultStreams
	}
	if o.Resend == "" {
		o.Resend = ResendRefused
	}
	switch {
	case len(o.Channels) == 0:
		return errors.New("a load needs a channel")
	case len(o.Nodes) == 0:
		return errors.New("a load needs a node")
	case o.Transactions < 0 || o.Size < 0 || o.Streams < 0:
		return errors.New("numbers of a load must not be negative")
	case o.Resend != ResendRefused && o.Resend != ResendUnknown:
		return fmt.Errorf("unknown resend policy %q; there are %s and %s", o.Resend, ResendRefused, ResendUnknown)
	case o.History == "":
		return errors.New("a load needs a history file")
	}
	return nil
}

// run is a load that is going on.
type run struct {
	Options
	send    Sender
	history *history
	next    atomic.Int64 // transactions given out

	mu     sync.Mutex
	result Result
	failed error // ends the load
}

// work takes transactions one by one. Worker w starts with node w, and goes on
// to the next after every failure.
func (l *run) work(ctx context.Context, worker int) {
	c := &client{send: l.send, nodes: l.Nodes, at: worker % len(l.Nodes)}
	defer c.close()
	for ctx.Err() == nil {
		i := int(l.next.Add(1)) - 1
		if i >= l.Transactions || l.stopped() {
			return
		}
		channel := l.Channels[i%len(l.Channels)]
		env, id, err := l.transaction(channel)
		if err != nil {
			l.fail(err)
			return
		}
		r := l.deliver(ctx, c, env)
		r.TxID, r.Channel = id, channel
		l.done(r)
	}
}

func (l *run) stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed != nil
}

func (l *run) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = errors.Join(l.failed, err)
}

func (l *run) done(r validate.Record) {
	if err := l.history.add(r); err != nil {
		l.fail(err)
		return
	}
	l.mu.Lock()
	l.result.Sent++
	switch r.Status {
	case validate.Acknowledged:
		l.result.Acknowledged++
		l.result.PerChannel[r.Channel]++
	case validate.Refused:
		l.result.Refused++
	default:
		l.result.Unknown++
	}
	sent := l.result.Sent
	l.mu.Unlock()
	if l.Progress != nil && (sent%100 == 0 || sent == l.Transactions) {
		l.Progress(sent)
	}
}

// transaction makes a signed transaction with random content.
func (l *run) transaction(channel string) (*cb.Envelope, string, error) {
	content := make([]byte, l.Size)
	if _, err := rand.Read(content); err != nil {
		return nil, "", fmt.Errorf("making the content of a transaction: %w", err)
	}
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_ENDORSER_TRANSACTION, ChannelID: channel, Time: time.Now(), Bytes: content,
	}, l.Signer(channel))
	if err != nil {
		return nil, "", fmt.Errorf("making a transaction: %w", err)
	}
	ch, err := protoutil.ChannelHeader(env)
	if err != nil {
		return nil, "", fmt.Errorf("making a transaction: %w", err)
	}
	return env, ch.TxId, nil
}

// deliver sends env until its fate is settled.
func (l *run) deliver(ctx context.Context, c *client, env *cb.Envelope) validate.Record {
	var r validate.Record
	maybeThere := false // an attempt may have put it into the ledger
	for {
		r.Attempts++
		r.Node = c.node()
		r.Resent = maybeThere
		err := c.attempt(ctx, env)
		var refused *broadcast.StatusError
		switch {
		case err == nil:
			r.Status, r.Info = validate.Acknowledged, ""
			return r
		case errors.As(err, &refused):
			r.Status, r.Info = validate.Refused, err.Error()
			if !refused.Retryable() {
				return settled(r, maybeThere)
			}
			maybeThere = maybeThere || !surelyNotThere(refused.Info)
		case errors.Is(err, broadcast.ErrUnknownOutcome):
			maybeThere = true
			r.Status, r.Info = validate.Unknown, err.Error()
			if l.Resend != ResendUnknown {
				return r
			}
		default: // not sent
			r.Status, r.Info = validate.Refused, err.Error()
		}
		c.advance()
		select {
		case <-ctx.Done():
			return settled(r, maybeThere)
		case <-time.After(retryPause):
		}
	}
}

// surelyNotThere tells whether a refusal for the moment came before the node
// passed the transaction on. Others leave it open: a Kafka producer that gave
// up, or a leader that was lost, may have let the transaction through.
func surelyNotThere(info string) bool {
	for _, text := range []string{"has not completed booting", "no Raft leader"} {
		if strings.Contains(info, text) {
			return true
		}
	}
	return false
}

// settled makes a refusal unknown if an attempt may have succeeded.
func settled(r validate.Record, maybeThere bool) validate.Record {
	if maybeThere {
		r.Status = validate.Unknown
	}
	return r
}

package broadcast

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/status"

	"raftmig/orderer/consensus"
	"raftmig/orderer/protoutil"
)

// pipeline serves one stream: receive → verify (parallel) → order → answer.
// Its goroutines end when the stream's context does, which gRPC sees to when
// Handle returns.
type pipeline struct {
	h       *Handler
	stream  Stream
	ctx     context.Context
	address string
	bytes   *semaphore.Weighted
	work    chan *item // to be verified
	order   chan *item // verified or not, in order of arrival
	answers chan *item // handed to the consenter or refused, in order
	refused atomic.Bool
}

// errBroken ends a stream without an answer, after a failure of our own.
var errBroken = errors.New("message could not be processed")

// Handle serves one stream until the client ends it, an answer is not SUCCESS
// (nil), or the stream breaks (the error).
func (h *Handler) Handle(stream Stream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	p := &pipeline{
		h: h, stream: stream, ctx: ctx, address: stream.Address(),
		bytes: semaphore.NewWeighted(maxAheadBytes),
		work:  make(chan *item, maxAhead),
		order: make(chan *item, maxAhead), answers: make(chan *item, maxAhead),
	}
	h.logger.Debugf("Starting new broadcast loop for %s", p.address)
	go p.receive()
	go p.orderAll()
	return p.answerAll()
}

// receive reads messages and gives them to be verified. Workers are started
// while those there are have more to do than is in their hands: keeping them
// spares growing a stack for each message.
func (p *pipeline) receive() {
	defer close(p.work)
	workers := 0
	for {
		raw, err := p.stream.Recv()
		it := &item{err: err, verified: make(chan struct{}), answer: make(chan *ab.BroadcastResponse, 1)}
		if err == nil {
			it.size = min(int64(len(raw)), maxAheadBytes)
			if p.bytes.Acquire(p.ctx, it.size) != nil {
				return
			}
			it.raw = raw
			if workers == 0 || len(p.work) > 0 && workers < cap(p.h.workers) {
				workers++
				go p.verifyAll()
			}
			select {
			case p.work <- it:
			case <-p.ctx.Done():
				return
			}
		}
		select {
		case p.order <- it:
		case <-p.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// verifyAll is one worker of the stream. Of all streams together, no more
// verify at once than there are processors.
func (p *pipeline) verifyAll() {
	for it := range p.work {
		if p.ctx.Err() != nil {
			return // nobody waits for it any more
		}
		p.h.workers <- struct{}{}
		p.h.verify(it, it.raw, p.address)
		it.raw = nil
		<-p.h.workers
	}
}

// orderAll hands the messages to their consenters, one after the other.
func (p *pipeline) orderAll() {
	for {
		var it *item
		select {
		case it = <-p.order:
		case <-p.ctx.Done():
			return
		}
		last := it.err != nil
		if !last {
			select {
			case <-it.verified:
			case <-p.ctx.Done():
				return
			}
			if p.refused.Load() {
				return // the stream ends with the answer refused
			}
			last = !p.orderOne(it)
		}
		select {
		case p.answers <- it:
		case <-p.ctx.Done():
			return
		}
		if last {
			return
		}
	}
}

// orderOne hands one message to its consenter. It returns false if the stream
// is to end with this message's answer.
func (p *pipeline) orderOne(it *item) (goOn bool) {
	if it.refusal != nil {
		it.answer <- it.refusal
		return false
	}
	chain := it.channel.Chain()
	start := time.Now()
	if !p.h.begin() {
		p.answer(it, errClosed, "Broadcast", start)
		return false
	}
	finish := func(err error, where string) {
		defer p.h.end()
		p.answer(it, err, where, start)
	}
	if err := chain.WaitReady(); err != nil {
		finish(err, "Consenter")
		return false
	}
	if it.isConfig {
		err := chain.Configure(it.msg, it.seq)
		finish(err, "Configure")
		return err == nil
	}
	return p.orderNormal(chain, it.msg, it.seq, finish)
}

// answer settles what the client is told about a message that was offered to
// its consenter at start.
func (p *pipeline) answer(it *item, err error, where string, start time.Time) {
	resp := &ab.BroadcastResponse{Status: cb.Status_SUCCESS}
	if err != nil {
		p.refused.Store(true)
		p.h.logger.Warnf("[channel: %s] Rejecting broadcast of %s message from %s with SERVICE_UNAVAILABLE: rejected by %s: %s", it.channel.ChannelID(), it.kind, p.address, where, err)
		resp = refuse(cb.Status_SERVICE_UNAVAILABLE, err)
	}
	p.h.metrics.enqueued(it.labels, resp.Status, time.Since(start))
	it.answer <- resp
}

func (p *pipeline) orderNormal(chain consensus.Chain, msg *protoutil.Message, seq uint64, finish func(error, string)) (goOn bool) {
	if async, ok := chain.(consensus.AsyncOrderer); ok {
		async.OrderAsync(msg, seq, func(err error) { finish(err, "Order") })
		return true
	}
	err := chain.Order(msg, seq)
	finish(err, "Order")
	return err == nil
}

// answerAll sends the answers in order and says how the stream ended.
func (p *pipeline) answerAll() error {
	for {
		var it *item
		select {
		case it = <-p.answers:
		case <-p.ctx.Done():
			return p.ended(p.ctx.Err())
		}
		if it.err != nil {
			return p.ended(it.err)
		}
		var resp *ab.BroadcastResponse
		select {
		case resp = <-it.answer:
		case <-p.ctx.Done():
			return p.ended(p.ctx.Err())
		}
		p.h.metrics.processed(it.labels, resp.Status)
		if it.refusal != nil && it.refusal.Status == cb.Status_INTERNAL_SERVER_ERROR {
			return errBroken
		}
		if err := p.stream.Send(resp); err != nil {
			p.h.logger.Warnf("Error sending to %s: %s", p.address, err)
			return err
		}
		p.bytes.Release(it.size)
		if resp.Status != cb.Status_SUCCESS {
			return nil
		}
	}
}

// ended logs how reading ended; the end that the client chose is no error.
func (p *pipeline) ended(err error) error {
	if errors.Is(err, io.EOF) {
		p.h.logger.Debugf("Received EOF from %s, hangup", p.address)
		return nil
	}
	if _, isStatus := status.FromError(err); !isStatus {
		err = status.FromContextError(err).Err()
	}
	p.h.logger.Warnf("Error reading from %s: %s", p.address, err)
	return err
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"raftmig/orderer/comm"
	"raftmig/orderer/metrics"
)

// Errors that end a stream or refuse a message (spec 5.3).
var (
	ErrAborted      = errors.New("aborted")
	ErrOverflow     = errors.New("send queue overflown")
	ErrRPCTimeout   = errors.New("rpc timeout expired")
	ErrShutdown     = errors.New("communication has been shut down")
	errStreamClosed = errors.New("stream closed by the server")
	errServerSpoke  = errors.New("server sent an unexpected response")
	errFinished     = errors.New("transactions go to another node")
)

type messageType int

const (
	consensusMessages messageType = iota
	transactionMessages
	messageTypes
)

func (t messageType) String() string {
	if t == transactionMessages {
		return "transaction"
	}
	return "consensus"
}

// outgoing is a queued message; report, if any, is called once, with nil when
// the message was written to the stream, or taken where the server says that.
type outgoing struct {
	parts  comm.Parts
	report func(error)
}

func (o outgoing) done(err error) {
	if o.report != nil {
		o.report(err)
	}
}

// stream is a Step stream with its queue. It is usable at once; the gRPC
// stream is opened by its own goroutine.
type stream struct {
	kind    messageType
	channel string
	queue   chan outgoing
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timeout time.Duration
	// finishing is closed when nothing more is to be queued, ended when the
	// stream's goroutine has ended.
	finishing  chan struct{}
	finishOnce sync.Once
	ended      chan struct{}
	// answers is nil unless the server says what it has taken. It is set before
	// anything is written.
	answers *answers

	queueLength metrics.Gauge
	sendTime    metrics.Histogram
	dropped     metrics.Counter
	onUse       func()
	onRefusal   func() // the server has refused a message
}

// endTimeouts is how many times as long as a message may take to be written the
// server may take to read what was written before the end of the stream.
const endTimeouts = 10

// finish ends the stream in order: what is queued is written, and the stream
// ends when the other side has read all of it.
func (s *stream) finish() { s.finishOnce.Do(func() { close(s.finishing) }) }

// send queues a message. It returns an error if the stream has ended or, for
// a consensus message, if the queue is full, which ends the stream too. A
// transaction waits for a place in the queue.
func (s *stream) send(o outgoing) error {
	if s.ctx.Err() != nil {
		return s.unsent()
	}
	if s.kind == consensusMessages {
		select {
		case s.queue <- o:
		default:
			s.dropped.Add(1)
			s.cancel(ErrOverflow)
			return ErrOverflow
		}
	} else {
		select {
		case s.queue <- o:
		case <-s.finishing:
			return notTaken(errFinished)
		case <-s.ctx.Done():
			return s.unsent()
		}
	}
	s.queueLength.Set(float64(len(s.queue)))
	if s.ctx.Err() != nil { // it may have ended after the queue was emptied for the last time
		s.drain()
	}
	return nil
}

// run opens the gRPC stream and writes what is queued until the stream ends.
func (s *stream) run(conn *grpc.ClientConn) {
	defer close(s.ended)
	defer s.drain()
	timer := time.AfterFunc(s.timeout, func() { s.cancel(ErrRPCTimeout) })
	defer timer.Stop()
	rpc, err := s.open(conn)
	timer.Stop()
	if err != nil {
		s.cancel(fmt.Errorf("opening stream: %w", err))
		return
	}
	var receiving sync.WaitGroup
	defer receiving.Wait()
	defer s.cancel(ErrAborted)
	receiving.Go(func() { s.receive(rpc) })
	for {
		select {
		case o := <-s.queue:
			if !s.write(rpc, o, timer) {
				return
			}
		case <-s.finishing:
			s.writeRest(rpc, timer)
			return
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *stream) open(conn *grpc.ClientConn) (grpc.ClientStream, error) {
	if s.kind == transactionMessages {
		rpc, err := openSubmit(s.ctx, conn, s.channel)
		if !errors.Is(err, errNoAnswers) {
			s.answers = newAnswers(s.timeout)
			return rpc, err
		}
	}
	return ab.NewClusterClient(conn).Step(s.ctx)
}

// write writes one message, reports, and returns whether the stream goes on.
func (s *stream) write(rpc grpc.ClientStream, o outgoing, timer *time.Timer) bool {
	s.queueLength.Set(float64(len(s.queue)))
	s.onUse()
	if s.answers != nil {
		if !s.answers.await(o.done) {
			o.done(s.unsent())
			return false
		}
		o.report = nil // whoever receives the answers does, also if the writing fails
	}
	start := time.Now()
	timer.Reset(s.timeout)
	err := rpc.SendMsg(o.parts)
	timer.Stop()
	if err != nil {
		err = s.sendError(err)
		s.cancel(err)
		o.done(err)
		return false
	}
	s.sendTime.Observe(time.Since(start).Seconds())
	o.done(nil)
	return true
}

// writeRest writes what is queued, says that this is all, and waits for the
// server to end the stream, which it does when it has read everything.
func (s *stream) writeRest(rpc grpc.ClientStream, timer *time.Timer) {
	for {
		select {
		case o := <-s.queue:
			if !s.write(rpc, o, timer) {
				return
			}
			continue
		default:
		}
		timer.Reset(endTimeouts * s.timeout) // giving up would take back what is not read yet
		if rpc.CloseSend() == nil {
			s.refuseRest()
		}
		return
	}
}

// refuseRest refuses what is queued by senders that had the stream before it was
// finished, until it ends.
func (s *stream) refuseRest() {
	for {
		select {
		case o := <-s.queue:
			o.done(notTaken(errFinished))
		case <-s.ctx.Done():
			return
		}
	}
}

// sendError replaces the io.EOF of a failed Send by the reason that ended the
// stream, which receive finds out.
func (s *stream) sendError(err error) error {
	if errors.Is(err, io.EOF) {
		<-s.ctx.Done()
	}
	if cause := context.Cause(s.ctx); cause != nil {
		return cause
	}
	return err
}

// receive waits for the end of the stream.
func (s *stream) receive(rpc grpc.ClientStream) {
	if s.answers != nil {
		s.receiveAnswers(rpc)
		return
	}
	err := rpc.RecvMsg(&comm.Received{})
	switch {
	case err == nil:
		s.cancel(errServerSpoke)
	case errors.Is(err, io.EOF):
		s.cancel(errStreamClosed)
	default:
		if status.Code(err) == codes.Unknown { // as of an error that is not of the transport
			s.onRefusal()
		}
		s.cancel(err)
	}
}

// receiveAnswers reports which messages were taken.
func (s *stream) receiveAnswers(rpc grpc.ClientStream) {
	for {
		var in comm.Received
		err := rpc.RecvMsg(&in)
		if err != nil {
			err = endOf(err)
			s.cancel(err)
			if !errors.Is(err, ErrNotTaken) {
				err = uncertain(context.Cause(s.ctx)) // this side may have ended it
			}
			s.answers.end(err)
			return
		}
		n, err := decodeTaken(in.Bytes)
		if err == nil {
			err = s.answers.taken(n)
		}
		if err != nil {
			s.cancel(err) // the next RecvMsg fails
		}
	}
}

// drain reports the messages that will not be sent any more.
func (s *stream) drain() {
	for {
		select {
		case o := <-s.queue:
			o.done(s.unsent())
		default:
			return
		}
	}
}

// unsent is the error for messages that were not written. They may be sent again,
// unless they have waited for too long.
func (s *stream) unsent() error {
	cause := context.Cause(s.ctx)
	var o outcome
	if errors.As(cause, &o) { // what it means for those that were written does not count
		cause = o.reason
	}
	if errors.Is(cause, ErrRPCTimeout) {
		return cause
	}
	return notTaken(cause)
}

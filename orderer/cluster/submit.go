package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"raftmig/orderer/comm"
)

// Beside orderer.Cluster our orderers have a service of their own, because nothing
// is ever answered on a Step stream (spec 5.1), so that nobody knows which of the
// transactions written to one were taken. A consenter tries raftmig.Cluster/Submit
// first; Fabric's orderers say UNIMPLEMENTED at once, and get the transactions on a
// Step stream.
//
// A Submit stream is for one channel, which its metadata names. The server accepts
// it by its headers, before which the client writes nothing. What follows are
// StepRequests with transactions, in the other direction numbers: so many of them
// have been taken. The status FAILED_PRECONDITION, like the end after the client's,
// means that the others were not.
const (
	submitService = "raftmig.Cluster"
	submitMethod  = "/" + submitService + "/Submit"
	channelKey    = "channel-bin"
	answersKey    = "raftmig-answers"
)

var submitDesc = grpc.StreamDesc{StreamName: "Submit", ServerStreams: true, ClientStreams: true}

var (
	errNoAnswers    = errors.New("the server does not answer transactions")
	errOtherChannel = errors.New("message is not a transaction of the channel that the stream is for")
	errEnding       = errors.New("the channel takes no more transactions here")
)

// Register adds the services of consenters to a gRPC server.
func Register(server *grpc.Server, s *Service) {
	ab.RegisterClusterServer(server, s)
	desc := submitDesc
	desc.Handler = func(_ any, stream grpc.ServerStream) error { return s.submit(stream) }
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: submitService, HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc},
	}, s)
}

// openSubmit opens a stream whose server answers, or returns errNoAnswers.
func openSubmit(ctx context.Context, conn *grpc.ClientConn, channel string) (grpc.ClientStream, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, channelKey, channel)
	rpc, err := conn.NewStream(ctx, &submitDesc, submitMethod)
	if err != nil {
		return nil, err
	}
	if header, err := rpc.Header(); err == nil && len(header.Get(answersKey)) > 0 {
		return rpc, nil
	}
	err = rpc.RecvMsg(&comm.Received{})
	switch {
	case status.Code(err) == codes.Unimplemented:
		return nil, errNoAnswers
	case err == nil:
		return nil, errServerSpoke
	}
	return nil, endOf(err)
}

// endOf says what the end of a Submit stream means for what was not answered.
func endOf(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return notTaken(errStreamClosed)
	case status.Code(err) == codes.FailedPrecondition:
		return notTaken(errors.New(status.Convert(err).Message()))
	}
	return uncertain(err)
}

// submit takes transactions until the stream ends, one is refused, or the channel
// takes no more.
func (s *Service) submit(stream grpc.ServerStream) error {
	s.comm.metrics.ingressCount.Add(1)
	defer s.comm.metrics.ingressCount.Add(-1)
	from := s.peer(stream.Context())
	err := s.answer(stream, from)
	if err != nil {
		s.log.Debugf("Submit stream from %s(%s) ends: %v", from.name, from.addr, err)
	}
	return err
}

func (s *Service) answer(stream grpc.ServerStream, from *incoming) error {
	refused := func(err error) error { return status.Error(codes.FailedPrecondition, err.Error()) }
	var channel string
	if md, _ := metadata.FromIncomingContext(stream.Context()); len(md.Get(channelKey)) > 0 {
		channel = md.Get(channelKey)[0]
	}
	if _, _, err := s.authenticateSubmitter(channel, from); err != nil {
		return refused(err)
	}
	ending, err := s.handler.OnSubmitBegin(channel)
	if err != nil {
		return refused(err)
	}
	s.comm.submitters.add(channel, 1)
	defer s.comm.submitters.add(channel, -1)
	if err := stream.SendHeader(metadata.Pairs(answersKey, "1")); err != nil {
		return err
	}
	t := &taking{service: s, channel: channel, from: from, news: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- t.run(stream) }()
	for sent := uint64(0); ; {
		over, end := false, error(nil)
		select {
		case <-t.news:
		case end = <-ended:
			over = true
		case <-ending:
			t.end()
			over, end = true, refused(errEnding)
		}
		if n := t.count.Load(); n > sent {
			if err := stream.SendMsg(comm.Parts{encodeTaken(n)}); err != nil {
				return err
			}
			sent = n
		}
		if over && end != nil && status.Code(end) == codes.Unknown {
			end = refused(end)
		}
		if over {
			return end
		}
	}
}

// taking are the transactions of one stream.
type taking struct {
	service *Service
	channel string
	from    *incoming
	count   atomic.Uint64 // of those taken
	news    chan struct{}

	over atomic.Bool // no more is taken
	mu   sync.Mutex  // held while one is passed on
}

// run passes on what comes until the stream ends or something is refused.
func (t *taking) run(stream grpc.ServerStream) error {
	for {
		var in comm.Received
		err := stream.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			if t.count.Load() > 0 {
				t.service.submitEnded(stream.Context(), t.channel, t.from)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.pass(stream.Context(), in.Bytes); err != nil {
			return err
		}
	}
}

func (t *taking) pass(ctx context.Context, raw []byte) error {
	req, err := parseStep(raw)
	if err != nil {
		return fmt.Errorf("badly formatted message: %w", err)
	}
	if req.submit == nil || req.submit.channel != t.channel || req.submit.msg == nil {
		return errOtherChannel
	}
	sender, done, err := t.service.admit(ctx, req.submit, t.from)
	if err != nil {
		return err
	}
	defer done()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over.Load() {
		return errEnding
	}
	if err := t.service.handler.OnSubmit(t.channel, sender, req.submit.msg, req.submit.configSeq, true); err != nil {
		return err
	}
	t.count.Add(1)
	select {
	case t.news <- struct{}{}:
	default:
	}
	return nil
}

// end returns when nothing more is taken, and what was is counted.
func (t *taking) end() {
	t.over.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
}

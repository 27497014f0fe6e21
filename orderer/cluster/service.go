package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"go.uber.org/zap"
	"google.golang.org/grpc/peer"

	"raftmig/orderer/comm"
	"raftmig/orderer/protoutil"
)

var (
	errNoChannel    = errors.New("badly formatted message, cannot extract channel")
	errNoClientCert = errors.New("no TLS certificate sent")
	errUnauthorized = errors.New("certificate extracted from TLS connection isn't authorized")
	errNoPayload    = errors.New("message is neither a Submit nor a Consensus request")
)

// Handler takes the messages of consenters that were identified. An error ends
// the stream that the message came on.
type Handler interface {
	// OnConsensus takes a consensus message from the consenter with the Raft ID sender.
	OnConsensus(channel string, sender uint64, req *ab.ConsensusRequest) error
	// OnSubmitBegin is called before a consenter that wants to know what was taken
	// forwards transactions of the channel. Its stream ends when ending is closed.
	OnSubmitBegin(channel string) (ending <-chan struct{}, err error)
	// OnSubmit takes a transaction that the consenter sender forwards. It was valid
	// under the configuration with the sequence given. If it is answered, its sender
	// keeps it until this has returned, and after an error.
	OnSubmit(channel string, sender uint64, msg *protoutil.Message, configSeq uint64, answered bool) error
	// OnSubmitEnd is called when a consenter that has forwarded transactions of
	// the channel on a stream has ended it in order, and may be about to stop.
	// It is answered when this returns, so that this returns when they are safe
	// or ctx, the stream's, ends.
	OnSubmitEnd(ctx context.Context, channel string)
}

// ServiceConfig is what NewService needs.
type ServiceConfig struct {
	// Comm knows the consenters.
	Comm    *Comm
	Handler Handler
}

// Service implements orderer.Cluster, and Submit (submit.go). Messages are authenticated one by one;
// the server has to have comm.Codec, its TLS layer to ask for a client certificate.
type Service struct {
	ab.UnimplementedClusterServer
	comm    *Comm
	handler Handler
	log     *zap.SugaredLogger
}

// NewService makes the server side of the cluster's communication.
func NewService(cfg ServiceConfig) *Service {
	return &Service{comm: cfg.Comm, handler: cfg.Handler, log: cfg.Comm.log}
}

// Step takes messages until the stream ends or one is refused. It answers nothing.
func (s *Service) Step(stream ab.Cluster_StepServer) error {
	s.comm.metrics.ingressCount.Add(1)
	defer s.comm.metrics.ingressCount.Add(-1)

	from := s.peer(stream.Context())
	defer func() {
		for channel := range from.submits {
			s.comm.submitters.add(channel, -1)
		}
	}()
	for {
		var in comm.Received
		err := stream.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			s.log.Debugf("%s(%s) disconnected", from.name, from.addr)
			for channel := range from.submits {
				s.submitEnded(stream.Context(), channel, from)
			}
			return nil
		}
		if err != nil {
			s.log.Debugf("Stream read from %s(%s) failed: %v", from.name, from.addr, err)
			return err
		}
		if err := s.handle(stream.Context(), in.Bytes, from); err != nil {
			s.log.Warnf("Closing stream from %s(%s): %v", from.name, from.addr, err)
			return err
		}
	}
}

func (s *Service) handle(ctx context.Context, raw []byte, from *incoming) error {
	req, err := parseStep(raw)
	if err != nil {
		return fmt.Errorf("badly formatted message: %w", err)
	}
	switch {
	case req.submit != nil:
		sender, done, err := s.admit(ctx, req.submit, from)
		if err != nil {
			return err
		}
		defer done()
		if req.submit.msg == nil {
			return fmt.Errorf("submit request of node %d without a payload", sender)
		}
		from.countSubmitter(&s.comm.submitters, req.submit.channel)
		return s.handler.OnSubmit(req.submit.channel, sender, req.submit.msg, req.submit.configSeq, false)
	case req.consensus != nil:
		sender, err := s.authenticate(req.consensus.Channel, from)
		if err != nil {
			return err
		}
		return s.handler.OnConsensus(req.consensus.Channel, sender, req.consensus)
	default:
		return errNoPayload
	}
}

func (s *Service) authenticate(channel string, from *incoming) (uint64, error) {
	if channel == "" {
		return 0, errNoChannel
	}
	sender, err := s.comm.sender(channel, from.clientKey)
	if err != nil {
		return 0, err
	}
	from.expiry.check(channel)
	return sender, nil
}

// authenticateSubmitter is like authenticate, for transactions. Former consenters
// have a turn.
func (s *Service) authenticateSubmitter(channel string, from *incoming) (id uint64, turn chan struct{}, err error) {
	if channel == "" {
		return 0, nil, errNoChannel
	}
	if id, turn, err = s.comm.submitter(channel, from.clientKey); err == nil {
		from.expiry.check(channel)
	}
	return id, turn, err
}

// admit authenticates the sender of a transaction. A former consenter waits for
// its turn, until done is called, and what it says about the configuration is not
// relied on.
func (s *Service) admit(ctx context.Context, tx *submit, from *incoming) (sender uint64, done func(), err error) {
	sender, turn, err := s.authenticateSubmitter(tx.channel, from)
	if err != nil {
		return 0, nil, err
	}
	if turn == nil {
		return sender, func() {}, nil
	}
	tx.configSeq = 0
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	done = func() { <-turn }
	if _, _, err := s.authenticateSubmitter(tx.channel, from); err != nil { // it has waited for too long
		done()
		return 0, nil, err
	}
	return sender, done, nil
}

// submitEnded tells that a stream with transactions was ended in order, unless
// its sender's time as a former consenter is over: a block is cut for that.
func (s *Service) submitEnded(ctx context.Context, channel string, from *incoming) {
	if _, _, err := s.authenticateSubmitter(channel, from); err == nil {
		s.handler.OnSubmitEnd(ctx, channel)
	}
}

// incoming is the other end of a stream.
type incoming struct {
	name, addr string
	clientKey  []byte // PKIX, nil without a certificate
	expiry     *expiryWarning
	submits    map[string]bool // channels of which a transaction came on it
}

func (in *incoming) countSubmitter(all *submitters, channel string) {
	if in.submits[channel] {
		return
	}
	if in.submits == nil {
		in.submits = map[string]bool{}
	}
	in.submits[channel] = true
	all.add(channel, 1)
}

func (s *Service) peer(ctx context.Context) *incoming {
	in := &incoming{expiry: &expiryWarning{
		threshold: s.comm.cfg.CertExpirationWarningThreshold, log: s.log, now: time.Now,
	}}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return in
	}
	in.addr = p.Addr.String()
	if cert := comm.ClientCertificate(ctx); cert != nil {
		in.name = cert.Subject.CommonName
		in.clientKey = cert.RawSubjectPublicKeyInfo
		in.expiry.notAfter = cert.NotAfter
	}
	in.expiry.node, in.expiry.endpoint = in.name, in.addr
	return in
}

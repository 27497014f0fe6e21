// Package deliver is the Deliver service (spec 6.5): it sends clients the
// blocks that they ask for, as the bytes the ledger has, and ends a stream as
// soon as its client may no longer read.
package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"go.uber.org/zap"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// Channel is what Deliver needs of a channel.
type Channel interface {
	Resources() channelconfig.Resources
	Reader() blockledger.Reader
	Chain() consensus.Chain
}

// Stream is one client's stream.
type Stream interface {
	Context() context.Context
	// Recv returns the bytes of the next Envelope, or io.EOF.
	Recv() ([]byte, error)
	SendBlock(*blockledger.Entry) error
	SendStatus(cb.Status) error
	// Address of the client, for the log.
	Address() string
	// ClientCertificate is the client's TLS certificate, or nil.
	ClientCertificate() *x509.Certificate
}

// Options of a handler.
type Options struct {
	// Channel returns a channel, or nil if there is none of that name.
	Channel func(channelID string) Channel
	// TimeWindow is how far a request's timestamp may be from now.
	TimeWindow time.Duration
	// BindTLS asks for requests that name their client's TLS certificate.
	BindTLS bool
	// NoExpirationChecks lets clients with expired certificates read.
	NoExpirationChecks bool
	// Now is the clock.
	Now     func() time.Time
	Metrics *Metrics
	Logger  *zap.SugaredLogger // "common.deliver"
}

// Handler serves streams. It is safe for concurrent use.
type Handler struct {
	Options
	readers msgprocessor.SigFilter
}

// NewHandler returns a handler.
func NewHandler(o Options) *Handler {
	return &Handler{Options: o, readers: msgprocessor.ReadersFilter(o.Logger)}
}

// Handle serves one stream: any number of requests, each answered with its
// blocks and SUCCESS. Another status ends the stream (nil); an error is
// returned if the stream broke.
func (h *Handler) Handle(stream Stream) error {
	h.Metrics.opened.Add(1)
	defer h.Metrics.closed.Add(1)
	address := stream.Address()
	h.Logger.Debugf("Starting new deliver loop for %s", address)
	for {
		raw, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			h.Logger.Debugf("Received EOF from %s, hangup", address)
			return nil
		}
		if err != nil {
			h.Logger.Warnf("Error reading from %s: %s", address, err)
			return err
		}
		status, err := h.serve(stream, raw)
		if err != nil {
			return err
		}
		if err := stream.SendStatus(status); err != nil {
			h.Logger.Warnf("Error sending to %s: %s", address, err)
			return err
		}
		if status != cb.Status_SUCCESS {
			return nil
		}
		h.Logger.Debugf("Waiting for new SeekInfo from %s", address)
	}
}

// request is a client's request as far as it is checked without its channel.
type request struct {
	msg     *protoutil.Message
	header  *cb.ChannelHeader
	creator []byte // serialized identity
	data    []byte // a SeekInfo, not yet decoded
}

// parse decodes a request and checks its header (spec 6.5).
func (h *Handler) parse(stream Stream, raw []byte) (*request, error) {
	msg, err := protoutil.ParseMessage(raw)
	if err != nil {
		return nil, err
	}
	p, err := protoutil.EnvelopePayload(msg.Envelope)
	if err != nil {
		return nil, err
	}
	header, err := protoutil.UnmarshalChannelHeader(p.Header.ChannelHeader)
	if err != nil {
		return nil, err
	}
	sh, err := protoutil.UnmarshalSignatureHeader(p.Header.SignatureHeader)
	if err != nil {
		return nil, err
	}
	if header.Timestamp == nil {
		return nil, errors.New("channel header in envelope must contain timestamp")
	}
	at, now := header.Timestamp.AsTime(), h.Now()
	if now.Sub(at).Abs() > h.TimeWindow {
		return nil, fmt.Errorf("envelope timestamp %s is more than %s apart from current server time %s", at, h.TimeWindow, now)
	}
	if h.BindTLS {
		if err := bound(header.TlsCertHash, stream.ClientCertificate()); err != nil {
			return nil, err
		}
	}
	return &request{msg, header, sh.Creator, p.Data}, nil
}

// bound checks that a request was made by the client that sends it.
func bound(claimed []byte, cert *x509.Certificate) error {
	if len(claimed) == 0 {
		return errors.New("client didn't include its TLS cert hash")
	}
	if cert == nil {
		return errors.New("client didn't send a TLS certificate")
	}
	if actual := sha256.Sum256(cert.Raw); !bytes.Equal(claimed, actual[:]) {
		return fmt.Errorf("claimed TLS cert hash is %v but actual TLS cert hash is %v", claimed, actual)
	}
	return nil
}

// serve answers one request but for its final status.
func (h *Handler) serve(stream Stream, raw []byte) (status cb.Status, err error) {
	address := stream.Address()
	req, err := h.parse(stream, raw)
	if err != nil {
		h.Logger.Warnf("error parsing envelope from %s: %s", address, err)
		return cb.Status_BAD_REQUEST, nil
	}
	channelID := req.header.ChannelId
	channel := h.Channel(channelID)
	if channel == nil {
		// at DEBUG, as clients poll for channels that are being created
		h.Logger.Debugf("Rejecting deliver for %s because channel %s not found", address, channelID)
		return cb.Status_NOT_FOUND, nil
	}
	counted := h.Metrics.request(channelID)
	defer func() { counted.completed(status == cb.Status_SUCCESS && err == nil) }()

	seek := &ab.SeekInfo{}
	if err := proto.Unmarshal(req.data, seek); err != nil {
		h.Logger.Warnf("[channel: %s] Received a signed deliver request from %s with malformed seekInfo payload: %s", channelID, address, err)
		return cb.Status_BAD_REQUEST, nil
	}
	var errored <-chan struct{}
	if seek.ErrorResponse != ab.SeekInfo_BEST_EFFORT {
		errored = channel.Chain().Errored()
	}
	select {
	case <-errored:
		h.Logger.Warnf("[channel: %s] Rejecting deliver request for %s because of consenter error", channelID, address)
		return cb.Status_SERVICE_UNAVAILABLE, nil
	default:
	}
	access := h.newAccess(channel, req)
	if err := access.evaluate(); err != nil {
		h.Logger.Warnf("[channel: %s] Client %s is not authorized: %s", channelID, address, err)
		return cb.Status_FORBIDDEN, nil
	}
	if seek.Start == nil || seek.Stop == nil {
		h.Logger.Warnf("[channel: %s] Received seekInfo message from %s with missing start or stop %v, %v", channelID, address, seek.Start, seek.Stop)
		return cb.Status_BAD_REQUEST, nil
	}
	s := session{h: h, stream: stream, channelID: channelID, channel: channel, access: access, errored: errored, sent: counted.sent}
	return s.run(seek)
}

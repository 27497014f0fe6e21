// Package broadcast is the Broadcast service (spec 6.1, 6.2, appendix E): it
// takes messages from clients, has them validated and ordered, and answers
// each in turn.
//
// Every stream is a pipeline. Messages are received ahead of their answers
// (bounded in number and bytes), their signatures are verified in parallel by
// as many workers as there are processors, and they are ordered strictly in
// the order of arrival; answers leave in that order too. The first answer that
// is not SUCCESS ends the stream, and no message after a refused one is
// ordered, except those that were handed to the consenter before it answered.
package broadcast

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"go.uber.org/zap"

	"raftmig/orderer/consensus"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// Channel is what Broadcast needs of a channel.
type Channel interface {
	msgprocessor.Processor
	ChannelID() string
	Chain() consensus.Chain
}

// Route finds the channel for a message and says whether the message is a
// configuration update. An error is answered with BAD_REQUEST; the header is
// nil if it could not be read.
type Route func(*protoutil.Message) (h *cb.ChannelHeader, isConfig bool, c Channel, err error)

// Stream is one client's stream.
type Stream interface {
	Context() context.Context
	// Recv returns the bytes of the next Envelope, or io.EOF.
	Recv() ([]byte, error)
	Send(*ab.BroadcastResponse) error
	// Address of the client, for the log.
	Address() string
}

// Limits of what one stream may have under way.
const (
	maxAhead      = 128      // messages
	maxAheadBytes = 32 << 20 // beyond the message that exceeds it
)

// Handler serves streams. It is safe for concurrent use.
type Handler struct {
	route   Route
	metrics *Metrics
	logger  *zap.SugaredLogger
	workers chan struct{} // one token per running verification

	closed   atomic.Bool
	underway atomic.Int64 // messages handed to a consenter that are not answered
}

// NewHandler returns a handler. logger is named "orderer.common.broadcast".
func NewHandler(route Route, m *Metrics, logger *zap.SugaredLogger) *Handler {
	return &Handler{route: route, metrics: m, logger: logger, workers: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// closeInterval is how often Close looks whether all is answered.
const closeInterval = 2 * time.Millisecond

// errClosed is what a closed handler answers.
var errClosed = errors.New("the orderer is stopping")

// Close has every message refused with SERVICE_UNAVAILABLE from now on, and
// waits until those that were handed to their consenters before are answered,
// at most until ctx ends. Streams stay open to be refused on.
func (h *Handler) Close(ctx context.Context) {
	h.closed.Store(true)
	ticker := time.NewTicker(closeInterval)
	defer ticker.Stop()
	for h.underway.Load() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// begin counts a message that is about to be handed to its consenter; it
// returns false if that must not be any more. Else end has to follow.
func (h *Handler) begin() bool {
	h.underway.Add(1)
	if h.closed.Load() {
		h.end()
		return false
	}
	return true
}

func (h *Handler) end() { h.underway.Add(-1) }

// item is one message on its way through the pipeline.
type item struct {
	raw      []byte // until it is verified
	size     int64
	err      error // reading the stream ended with it; all else is unset
	verified chan struct{}
	answer   chan *ab.BroadcastResponse // of capacity 1, filled once

	// set when verified is closed
	labels   labels
	channel  Channel
	isConfig bool
	kind     string             // for the log
	msg      *protoutil.Message // to be ordered
	seq      uint64
	refusal  *ab.BroadcastResponse
}

// Classify maps a validation error to the status of its answer (spec 1.6).
func Classify(err error) cb.Status {
	switch {
	case errors.Is(err, msgprocessor.ErrChannelDoesNotExist):
		return cb.Status_NOT_FOUND
	case errors.Is(err, msgprocessor.ErrPermissionDenied):
		return cb.Status_FORBIDDEN
	case errors.Is(err, msgprocessor.ErrMaintenanceMode):
		return cb.Status_SERVICE_UNAVAILABLE
	}
	return cb.Status_BAD_REQUEST
}

func refuse(status cb.Status, err error) *ab.BroadcastResponse {
	return &ab.BroadcastResponse{Status: status, Info: err.Error()}
}

// verify validates the message in raw and fills the item.
func (h *Handler) verify(it *item, raw []byte, address string) {
	start := time.Now()
	defer func() {
		if r := recover(); r != nil {
			// a programmer's error must end this stream, not the process
			h.logger.Errorf("Broadcast client triggered panic: %v\n%s", r, debug.Stack())
			it.refusal = refuse(cb.Status_INTERNAL_SERVER_ERROR, errBroken)
		}
		status := cb.Status_SUCCESS
		if it.refusal != nil {
			status = it.refusal.Status
		}
		h.metrics.validated(it.labels, status, time.Since(start))
		close(it.verified)
	}()
	it.labels = labels{channel: unknown, kind: unknown}
	msg, err := protoutil.ParseMessage(raw)
	if err != nil {
		it.refusal = refuse(cb.Status_BAD_REQUEST, fmt.Errorf("could not determine channel ID: %w", err))
		return
	}
	header, isConfig, channel, err := h.route(msg)
	it.labels = labelsOf(header, channel)
	if err != nil {
		h.logger.Warnf("[channel: %s] Could not get message processor for serving %s: %s", header.GetChannelId(), address, err)
		it.refusal = refuse(cb.Status_BAD_REQUEST, err)
		return
	}
	it.channel, it.isConfig, it.msg = channel, isConfig, msg
	it.kind = "normal"
	if isConfig {
		it.kind = "config"
		it.msg, it.seq, err = channel.ProcessConfigUpdateMsg(msg)
	} else {
		it.seq, err = channel.ProcessNormalMsg(msg)
	}
	if err != nil {
		h.logger.Warnf("[channel: %s] Rejecting broadcast of %s message from %s because of error: %s", header.ChannelId, it.kind, address, err)
		it.refusal = refuse(Classify(err), err)
	}
}

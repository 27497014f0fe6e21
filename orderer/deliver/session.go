package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/metrics"
)

// session sends the blocks of one request.
type session struct {
	h         *Handler
	stream    Stream
	channelID string
	channel   Channel
	access    *access
	errored   <-chan struct{} // nil if the consenter's errors are ignored
	sent      metrics.Counter
}

var errConsenter = errors.New("the consenter cannot make progress")

func (s *session) run(seek *ab.SeekInfo) (cb.Status, error) {
	log, address := s.h.Logger, s.stream.Address()
	reader := s.channel.Reader()
	cursor, number := reader.Iterator(seek.Start)
	defer cursor.Close()
	stop, ok := stopNumber(seek, number, reader)
	if !ok {
		log.Warnf("[channel: %s] Received invalid seekInfo message from %s: start number %d greater than stop number %d", s.channelID, address, number, stop)
		return cb.Status_BAD_REQUEST, nil
	}
	ctx, cancel := context.WithCancelCause(s.stream.Context())
	defer cancel(nil)
	if s.errored != nil {
		go func() {
			select {
			case <-s.errored:
				cancel(errConsenter)
			case <-ctx.Done():
			}
		}()
	}
	for ; ; number++ {
		if seek.Behavior == ab.SeekInfo_FAIL_IF_NOT_READY && number >= reader.Height() {
			log.Warnf("[channel: %s] Block %d not found, block number greater than chain length bounds", s.channelID, number)
			return cb.Status_NOT_FOUND, nil
		}
		entry, status, err := s.next(ctx, cursor)
		if err != nil || status != cb.Status_SUCCESS {
			return status, err
		}
		if err := s.access.evaluate(); err != nil {
			log.Warnf("[channel: %s] Client authorization revoked for deliver request from %s: %s", s.channelID, address, err)
			return cb.Status_FORBIDDEN, nil
		}
		if err := s.stream.SendBlock(entry); err != nil {
			log.Warnf("[channel: %s] Error sending to %s: %s", s.channelID, address, err)
			return cb.Status_INTERNAL_SERVER_ERROR, err
		}
		s.sent.Add(1)
		if entry.Block.Header.Number == stop {
			log.Debugf("[channel: %s] Done delivering to %s", s.channelID, address)
			return cb.Status_SUCCESS, nil
		}
	}
}

// next waits for the next block, for the consenter's failure or for the end
// of the stream.
func (s *session) next(ctx context.Context, cursor blockledger.Iterator) (*blockledger.Entry, cb.Status, error) {
	var entry *blockledger.Entry
	status := cb.Status_SERVICE_UNAVAILABLE
	if ctx.Err() == nil {
		entry, status = cursor.Next(ctx)
	}
	switch {
	case status == cb.Status_SUCCESS:
		return entry, status, nil
	case errors.Is(context.Cause(ctx), errConsenter):
		s.h.Logger.Warnf("Aborting deliver for request because the backing consensus implementation indicates an error")
		return nil, cb.Status_SERVICE_UNAVAILABLE, nil
	case ctx.Err() != nil:
		s.h.Logger.Debugf("Context canceled, aborting wait for next block")
		return nil, cb.Status_INTERNAL_SERVER_ERROR, fmt.Errorf("context finished before block retrieved: %w", ctx.Err())
	}
	s.h.Logger.Warnf("[channel: %s] Error reading from channel, cause was: %v", s.channelID, status)
	return nil, status, nil
}

// stopNumber returns the number of the last block asked for. It is not ok if
// that lies before the first. An unset position counts as 0 (spec 6.5).
func stopNumber(seek *ab.SeekInfo, first uint64, reader blockledger.Reader) (stop uint64, ok bool) {
	switch t := seek.Stop.Type.(type) {
	case *ab.SeekPosition_Oldest:
		return first, true
	case *ab.SeekPosition_Newest:
		if proto.Equal(seek.Start, seek.Stop) {
			return first, true // the one newest block, also if there is a newer one by now
		}
		return reader.Height() - 1, true
	case *ab.SeekPosition_Specified:
		n := t.Specified.GetNumber()
		return n, n >= first
	}
	return 0, true
}

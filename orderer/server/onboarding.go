package server

import (
	"errors"
	"sync"

	cb "github.com/hyperledger/fabric-protos-go/common"
)

// tracker remembers the channels that this node does not service.
type tracker struct {
	mu       sync.Mutex
	channels map[string]bool
}

// TrackChain implements inactive.Tracker.
func (t *tracker) TrackChain(channelID string, _ *cb.Block) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.channels[channelID] = true
}

// replicate fetches the ledgers up to the boot block if they are behind.
func (n *node) replicate(boot *bootBlock) error {
	if boot == nil {
		return nil
	}
	n.cluster.inactive = &tracker{channels: map[string]bool{}}
	l, err := n.ledgers.GetOrCreate(boot.channelID)
	if err != nil {
		return err
	}
	if boot.block.Header.Number < l.Height() {
		n.options.Logging.Logger("orderer.common.cluster").Info("Replication isn't needed")
		return nil
	}
	return errors.New("replication is not available yet")
}

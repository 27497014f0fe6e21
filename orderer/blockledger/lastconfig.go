package blockledger

import (
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// LastConfigBlock returns the block with the configuration in force after the
// last block of a ledger, which must not be empty.
func LastConfigBlock(ledger Reader) (*cb.Block, error) {
	height := ledger.Height()
	if height == 0 {
		return nil, errors.New("the ledger is empty")
	}
	last, err := ledger.BlockByNumber(height - 1)
	if err != nil {
		return nil, fmt.Errorf("reading block [%d]: %w", height-1, err)
	}
	index, err := protoutil.LastConfigIndex(last.Block)
	if err != nil {
		return nil, fmt.Errorf("block [%d]: %w", height-1, err)
	}
	config, err := ledger.BlockByNumber(index)
	if err != nil {
		return nil, fmt.Errorf("reading config block [%d]: %w", index, err)
	}
	return config.Block, nil
}

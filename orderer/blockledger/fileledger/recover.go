package fileledger

import (
	"errors"
	"fmt"
	"os"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/protoutil"
)

// reindexEvery is the number of blocks between two writes to the index while
// many blocks are indexed.
const reindexEvery = 1000

// recovered is the state of a ledger's files after opening.
type recovered struct {
	position           // the end of the last record
	last     *cb.Block // nil if there is none
	at       location  // of last
}

// recoverLedger brings the index of a channel up to its block files and finds
// their end. It does not change the block files.
func recoverLedger(dir string, x *index, log *zap.SugaredLogger) (*recovered, error) {
	start, why := trusted(dir, x)
	if start == nil {
		if why != nil {
			log.Warnf("Ledger index does not fit the block files (%s); it is built from them", why)
		}
		if err := x.clear(); err != nil {
			return nil, err
		}
		start = &recovered{}
	}
	end, torn, err := reindex(dir, x, *start)
	if err != nil {
		return nil, err
	}
	if torn > 0 {
		log.Warnf("Block file %s ends with %d bytes of an unfinished write at offset %d; they are cut off",
			blockFile(dir, end.file), torn, end.offset)
	}
	return end, nil
}

// trusted returns the end of the last indexed block if the index agrees with
// the files; otherwise nil and the disagreement, or nil and nil if there is no
// index for the channel.
func trusted(dir string, x *index) (*recovered, error) {
	info, ok := x.manager()
	if !ok || info.empty {
		return nil, nil
	}
	checkpoint, ok := x.checkpoint()
	if !ok || checkpoint > info.last {
		return nil, fmt.Errorf("last block is %d, last indexed block %d", info.last, checkpoint)
	}
	if first, ok := x.location(0); !ok || first != (location{}) {
		return nil, errors.New("block 0 is not at the beginning")
	}
	at, ok := x.location(checkpoint)
	if !ok {
		return nil, fmt.Errorf("no location of block %d", checkpoint)
	}
	f, err := os.Open(blockFile(dir, at.file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	block, size, err := readAt(f, at.offset)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", checkpoint, err)
	}
	end := &recovered{
		position: position{
			file: at.file, offset: at.offset + size,
			number: checkpoint + 1, hash: protoutil.BlockHeaderHash(block.Header),
		},
		last: block, at: at,
	}
	if block.Header.Number != checkpoint {
		return nil, fmt.Errorf("block %d is where block %d should be", block.Header.Number, checkpoint)
	}
	if checkpoint == info.last && info.file == at.file && info.size != end.offset {
		return nil, fmt.Errorf("block %d ends at %d instead of %d", checkpoint, end.offset, info.size)
	}
	if info.file < at.file || info.file > at.file && checkpoint == info.last && info.size != 0 {
		return nil, fmt.Errorf("last file is %d, block %d is in file %d", info.file, checkpoint, at.file)
	}
	return end, nil
}

// reindex indexes the records from start on and returns where they end.
func reindex(dir string, x *index, start recovered) (*recovered, int64, error) {
	end := start
	b, unwritten := x.newBatch(), 0
	torn, err := scan(dir, &end.position, func(block *cb.Block, at location) error {
		b.block(block.Header.Number, at)
		end.last, end.at = block, at
		if unwritten++; unwritten == reindexEvery {
			unwritten = 0
			return b.write(false)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	b.manager(end.managerInfo())
	if err := b.write(false); err != nil {
		return nil, 0, err
	}
	return &end, torn, nil
}

func (r *recovered) managerInfo() managerInfo {
	if r.last == nil {
		return managerInfo{file: r.file, size: r.offset, empty: true}
	}
	return managerInfo{file: r.file, size: r.offset, last: r.last.Header.Number}
}

package onboarding

import (
	"bytes"
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// genesisMetadataSlots is the number of metadata slots of a genesis block made
// from the system channel (spec 5.4).
const genesisMetadataSlots = 4

// channelGenesis is a channel that a block of the system channel creates.
type channelGenesis struct {
	channelID string
	block     *cb.Block
}

// genesisIn returns the channel that a block of the system channel creates, or
// nil if it creates none.
func genesisIn(block *cb.Block) (*channelGenesis, error) {
	if len(block.GetData().GetData()) != 1 {
		return nil, nil
	}
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, err
	}
	payload, err := protoutil.EnvelopePayload(env)
	if err != nil {
		return nil, err
	}
	h, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		return nil, err
	}
	if h.Type != int32(cb.HeaderType_ORDERER_TRANSACTION) {
		return nil, nil
	}
	msg, err := protoutil.ParseMessage(payload.Data)
	if err != nil {
		return nil, err
	}
	created, err := protoutil.ChannelHeader(msg.Envelope)
	if err != nil {
		return nil, err
	}
	if created.Type != int32(cb.HeaderType_CONFIG) || created.ChannelId == "" {
		return nil, errors.New("a channel creation without a configuration in it")
	}
	genesis := protoutil.NewBlockOf(0, nil, []*protoutil.Message{msg})
	genesis.Metadata.Metadata = genesis.Metadata.Metadata[:genesisMetadataSlots]
	return &channelGenesis{channelID: created.ChannelId, block: genesis}, nil
}

// hashChain checks that consecutive blocks are whole and linked, without
// looking at signatures.
type hashChain struct {
	last *cb.Block
}

func (h *hashChain) verify(blocks []*cb.Block) error {
	for _, block := range blocks {
		if !bytes.Equal(protoutil.BlockDataHash(block.Data), block.Header.DataHash) {
			return fmt.Errorf("block [%d] does not have the data that its header claims", block.Header.Number)
		}
		if h.last != nil {
			if block.Header.Number != h.last.Header.Number+1 ||
				!bytes.Equal(block.Header.PreviousHash, protoutil.BlockHeaderHash(h.last.Header)) {
				return fmt.Errorf("block [%d] does not follow block [%d]", block.Header.Number, h.last.Header.Number)
			}
		}
		h.last = block
	}
	return nil
}

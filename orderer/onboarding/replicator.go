package onboarding

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/cluster"
	"raftmig/orderer/protoutil"
)

// Replicator brings an empty node to the height of a boot block.
type Replicator struct{ cfg Config }

// NewReplicator returns a replicator.
func NewReplicator(cfg Config) *Replicator { return &Replicator{cfg: cfg.withDefaults()} }

// Replicate fetches, guided by a config block of the system channel with a
// number above 0: every channel that this node is a consenter of, the genesis
// blocks of the others, and the system channel up to the boot block. If it
// returns an error it can be called again; it does nothing if the system
// channel's ledger has the boot block.
func (r *Replicator) Replicate(ctx context.Context, boot *cb.Block) error {
	config, err := resourcesOf(boot)
	if err != nil {
		return fmt.Errorf("reading the boot block: %w", err)
	}
	endpoints, err := endpointsIn(config)
	if err != nil {
		return fmt.Errorf("reading the boot block: %w", err)
	}
	system := config.ConfigtxValidator().ChannelID()
	ledger, err := r.cfg.Ledgers.GetOrCreate(system)
	if err != nil {
		return fmt.Errorf("opening the ledger of the system channel: %w", err)
	}
	if boot.Header.Number < ledger.Height() {
		r.cfg.Logger.Info("Replication isn't needed")
		return nil
	}
	r.cfg.Logger.Info("Will now replicate chains")
	channels, hashes, err := r.listChannels(ctx, system, endpoints, boot)
	if err != nil {
		return fmt.Errorf("listing channels: %w", err)
	}
	mine := 0
	for _, channel := range channels {
		member, err := r.replicateChannel(ctx, channel, endpoints)
		if err != nil {
			return fmt.Errorf("replicating channel %s: %w", channel.channelID, err)
		}
		if member {
			mine++
		}
	}
	r.cfg.Logger.Infof("Found myself in %d channels out of %d", mine, len(channels))
	err = r.walk(ctx, system, endpoints, boot, ledger.Height(), func(block *cb.Block) error {
		if !bytes.Equal(protoutil.BlockHeaderHash(block.Header), hashes[block.Header.Number]) {
			return fmt.Errorf("block [%d] is not the one that was checked before", block.Header.Number)
		}
		return ledger.Append(block)
	})
	if err != nil {
		return fmt.Errorf("replicating the system channel: %w", err)
	}
	return nil
}

// listChannels returns the channels that the system channel created up to the
// boot block, in order, and the header hashes of its blocks.
func (r *Replicator) listChannels(ctx context.Context, system string, endpoints []cluster.Endpoint, boot *cb.Block) (
	channels []*channelGenesis, hashes [][]byte, err error,
) {
	seen := map[string]bool{system: true}
	err = r.walk(ctx, system, endpoints, boot, 0, func(block *cb.Block) error {
		hashes = append(hashes, protoutil.BlockHeaderHash(block.Header))
		g, err := genesisIn(block)
		if err != nil {
			return fmt.Errorf("block [%d] of the system channel: %w", block.Header.Number, err)
		}
		if g != nil && !seen[g.channelID] {
			seen[g.channelID] = true
			channels = append(channels, g)
		}
		return nil
	})
	return channels, hashes, err
}

// walk calls visit with the blocks of the system channel from start up to the
// boot block, which has to be the one that the operator gave. That the blocks
// lead to it is known only at the end.
func (r *Replicator) walk(ctx context.Context, system string, endpoints []cluster.Endpoint, boot *cb.Block, start uint64,
	visit func(*cb.Block) error,
) error {
	chain := &hashChain{}
	p := r.cfg.NewPuller(cluster.PullTarget{
		Channel: system, Endpoints: endpoints, Signer: r.cfg.Signer, MaxRetries: r.cfg.MaxRetries, Verify: chain.verify,
	})
	defer p.Close()
	for number := start; number <= boot.Header.Number; number++ {
		block, err := p.PullBlock(ctx, number)
		if err != nil {
			return err
		}
		if number == boot.Header.Number {
			if err := sameHeader(boot, block); err != nil {
				return err
			}
		}
		if err := visit(block); err != nil {
			return err
		}
	}
	return nil
}

func sameHeader(boot, block *cb.Block) error {
	want, got := protoutil.BlockHeaderHash(boot.Header), protoutil.BlockHeaderHash(block.Header)
	if !bytes.Equal(want, got) {
		return fmt.Errorf("Block header mismatch on last system channel block, expected %s, got %s", //nolint:staticcheck // Fabric's text
			hex.EncodeToString(want), hex.EncodeToString(got))
	}
	return nil
}

// replicateChannel fetches a channel if this node is a consenter of it, else
// its genesis block only.
func (r *Replicator) replicateChannel(ctx context.Context, channel *channelGenesis, endpoints []cluster.Endpoint) (member bool, err error) {
	height, err := r.cfg.participant(ctx, channel.channelID, endpoints)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case notServiced(err):
		r.cfg.Logger.Infof("I do not belong to channel %s or am forbidden pulling it (%v), skipping chain retrieval", channel.channelID, err)
	case err != nil: // it is asked again while the node runs
		r.cfg.Logger.Warnf("Could not obtain blocks needed for classifying whether I am in the channel, "+
			"skipping the retrieval of the chan %s: %s", channel.channelID, err)
	}
	ledger, appendErr := r.cfg.appendGenesis(channel.channelID, channel.block)
	if appendErr != nil {
		return false, appendErr
	}
	if err != nil {
		return false, nil
	}
	r.cfg.Logger.Infof("I need to pull channel %s", channel.channelID)
	return true, r.cfg.pull(ctx, channel.channelID, ledger, endpoints, height)
}

package onboarding

import (
	"context"
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/cluster"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

// Config is what both replicators need.
type Config struct {
	Ledgers blockledger.Factory
	// NewPuller makes a source of blocks: (*cluster.PullerFactory).New.
	NewPuller func(cluster.PullTarget) cluster.ChainPuller
	// Signer signs the requests for blocks.
	Signer protoutil.Signer
	// ServerCert is this node's cluster server certificate, PEM or DER; its
	// public key says of which channels this node is a consenter.
	ServerCert []byte
	// MaxRetries limits the attempts for one block; 0 means
	// cluster.DefaultReplicationMaxRetries.
	MaxRetries int
	// Logger is named orderer.common.cluster.replication, or
	// orderer.common.onboarding for inactive channels.
	Logger *zap.SugaredLogger
}

func (c Config) withDefaults() Config {
	if c.MaxRetries == 0 {
		c.MaxRetries = cluster.DefaultReplicationMaxRetries
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop().Sugar()
	}
	return c
}

// errNotInChannel: this node is not among the channel's consenters.
var errNotInChannel = errors.New("not in the channel")

// notServiced reports whether an error of participant says that this node
// cannot or need not have the channel now.
func notServiced(err error) bool {
	return errors.Is(err, errNotInChannel) || errors.Is(err, cluster.ErrForbidden) || errors.Is(err, cluster.ErrServiceUnavailable)
}

// participant returns the height up to which others have the channel if this
// node is a consenter in its latest configuration, else errNotInChannel. The
// answer is not verified: it decides only whether to begin.
func (c Config) participant(ctx context.Context, channelID string, endpoints []cluster.Endpoint) (height uint64, err error) {
	p := c.NewPuller(cluster.PullTarget{
		Channel: channelID, Endpoints: endpoints, Signer: c.Signer, MaxRetries: c.MaxRetries, Hurry: true,
		Verify: func([]*cb.Block) error { return nil },
	})
	defer p.Close()
	block, err := p.LastConfigBlock(ctx)
	if err != nil {
		return 0, err
	}
	md, err := raftmetadata.OfConfigBlock(block)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNotInChannel, err)
	}
	for _, consenter := range md.Consenters {
		if raftmetadata.SamePublicKey(c.ServerCert, consenter.GetServerTlsCert()) ||
			raftmetadata.SamePublicKey(c.ServerCert, consenter.GetClientTlsCert()) {
			return block.Header.Number + 1, nil
		}
	}
	return 0, errNotInChannel
}

// pull continues a channel's ledger, which has its genesis block at least, up
// to the height given.
func (c Config) pull(ctx context.Context, channelID string, ledger blockledger.ReadWriter, endpoints []cluster.Endpoint, height uint64) error {
	start, err := blockledger.LastConfigBlock(ledger)
	if err != nil {
		return err
	}
	v, err := NewVerifier(start)
	if err != nil {
		return err
	}
	own, err := endpointsIn(v.current)
	if err != nil {
		return err
	}
	p := c.NewPuller(cluster.PullTarget{
		Channel: channelID, Endpoints: append(endpoints, own...), Signer: c.Signer, MaxRetries: c.MaxRetries, Verify: v.Verify,
	})
	defer p.Close()
	for number := ledger.Height(); number < height; number++ {
		block, err := p.PullBlock(ctx, number)
		if err != nil {
			return err
		}
		if err := ledger.Append(block); err != nil {
			return fmt.Errorf("appending block [%d]: %w", number, err)
		}
		c.Logger.Infof("Committed block [%d] for channel %s", number, channelID)
	}
	return nil
}

// appendGenesis makes a channel's ledger with its genesis block if it is empty.
func (c Config) appendGenesis(channelID string, genesis *cb.Block) (blockledger.ReadWriter, error) {
	ledger, err := c.Ledgers.GetOrCreate(channelID)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger of channel %s: %w", channelID, err)
	}
	if ledger.Height() > 0 {
		return ledger, nil
	}
	if genesis == nil {
		return nil, fmt.Errorf("channel %s has neither a ledger nor a genesis block", channelID)
	}
	if err := ledger.Append(genesis); err != nil {
		return nil, fmt.Errorf("appending the genesis block of channel %s: %w", channelID, err)
	}
	return ledger, nil
}

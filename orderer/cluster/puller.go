package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/consensus"
	"raftmig/orderer/protoutil"
)

// ChainPuller gets blocks of one channel from other orderers. It is not safe
// for concurrent use.
type ChainPuller interface {
	// PullBlock returns the block of that number, verified. It tries for as long
	// as the puller was told, or until ctx ends. Calls with consecutive numbers
	// are cheap.
	PullBlock(ctx context.Context, number uint64) (*cb.Block, error)
	// LastConfigBlock returns the latest config block that the orderer with the
	// highest ledger knows, verified. It tries every orderer once; if all that
	// answer refuse this node, the error is ErrForbidden.
	LastConfigBlock(ctx context.Context) (*cb.Block, error)
	// Close frees the connections.
	Close()
}

// PullTarget says what to pull, for whom and what to believe.
type PullTarget struct {
	Channel   string
	Endpoints []Endpoint
	// Signer signs the requests.
	Signer protoutil.Signer
	// Verify checks consecutive blocks before they are handed out.
	Verify func(blocks []*cb.Block) error
	// MaxRetries limits the attempts for one block; 0 means no limit.
	MaxRetries int
	// Hurry lets LastConfigBlock wait for slow orderers no longer than PullBlock does:
	// for whoever asks about many channels, and looks again later.
	Hurry bool
}

// BlockPuller is a ChainPuller over AtomicBroadcast/Deliver.
type BlockPuller struct {
	cfg      PullerConfig
	target   PullTarget
	certHash []byte
	log      *zap.SugaredLogger
	slow     *slowEndpoints

	sources map[string]*source
	stream  *blockStream
	from    *source
	buffer  []*cb.Block
}

// New returns a puller; it connects when first used.
func (f *PullerFactory) New(t PullTarget) *BlockPuller {
	seen := map[string]bool{}
	t.Endpoints = slices.DeleteFunc(slices.Clone(t.Endpoints), func(e Endpoint) bool {
		again := seen[e.Address]
		seen[e.Address] = true
		return again
	})
	return &BlockPuller{
		cfg: f.cfg, target: t, certHash: certificateHash(f.cfg.TLS.CertificateDER()),
		log: f.cfg.Logger.With("channel", t.Channel), slow: &f.slow, sources: map[string]*source{},
	}
}

// ForChain returns a puller for a channel that this node has the ledger of. It
// trusts the channel's current configuration and what follows from it, and
// tries without end.
func (f *PullerFactory) ForChain(support consensus.ConsenterSupport) (ChainPuller, error) {
	endpoints := EndpointsOf(support.ChannelConfig(), support.SharedConfig())
	if len(endpoints) == 0 {
		return nil, fmt.Errorf("the configuration of channel %s has no orderer endpoints", support.ChannelID())
	}
	if f.cfg.TLS.Certificate == nil {
		return nil, ErrNoClientTLS
	}
	return f.New(PullTarget{
		Channel: support.ChannelID(), Endpoints: endpoints, Signer: support,
		Verify: func(blocks []*cb.Block) error { return VerifyBlocks(blocks, support.VerifyBlockSignature) },
	}), nil
}

// PullBlock implements ChainPuller.
func (p *BlockPuller) PullBlock(ctx context.Context, number uint64) (*cb.Block, error) {
	for attempt := 1; ; attempt++ {
		if len(p.buffer) > 0 && p.buffer[0].Header.Number == number {
			block := p.buffer[0]
			p.buffer = p.buffer[1:]
			return block, nil
		}
		err := p.fill(ctx, number)
		if err == nil {
			continue
		}
		p.closeStream()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("pulling block [%d]: %w", number, ctx.Err())
		}
		if p.target.MaxRetries > 0 && attempt >= p.target.MaxRetries {
			return nil, fmt.Errorf("failed pulling block [%d] after %d attempts: %w", number, attempt, err)
		}
		p.log.Warnf("Failed pulling block [%d], trying again in %v: %s", number, p.cfg.RetryTimeout, err)
		select {
		case <-time.After(p.cfg.RetryTimeout):
		case <-ctx.Done():
		}
	}
}

// fill puts verified blocks from number on into the buffer.
func (p *BlockPuller) fill(ctx context.Context, number uint64) error {
	p.buffer = nil
	if p.stream == nil || p.stream.next != number || number >= p.from.height {
		p.closeStream()
		if err := p.open(ctx, number); err != nil {
			return err
		}
	}
	var blocks []*cb.Block
	for size := 0; size < p.cfg.BufferSize && p.stream.next < p.from.height; {
		next := p.stream.next
		block, err := p.stream.receive()
		if err != nil {
			p.drop(p.from)
			return fmt.Errorf("receiving block [%d] from %s: %w", next, p.from.endpoint.Address, err)
		}
		if block.Header.Number != next {
			p.drop(p.from)
			return fmt.Errorf("%s sent block [%d], expected block [%d]", p.from.endpoint.Address, block.Header.Number, next)
		}
		p.stream.next++
		size += proto.Size(block)
		blocks = append(blocks, block)
	}
	if err := p.target.Verify(blocks); err != nil {
		p.drop(p.from)
		return fmt.Errorf("verifying blocks of %s: %w", p.from.endpoint.Address, err)
	}
	p.buffer = blocks
	return nil
}

// open finds an orderer that has block number and begins a stream there.
func (p *BlockPuller) open(ctx context.Context, number uint64) error {
	probes := p.probeHurried(ctx)
	able := thatHave(number, probes)
	if len(able) == 0 {
		probes = p.probe(ctx)
		able = thatHave(number, probes)
	}
	if len(able) == 0 {
		return fmt.Errorf("no orderer has block [%d]: %w", number, summary(probes))
	}
	from := able[rand.IntN(len(able))] // spreads the load, decides nothing
	stream, err := p.seek(ctx, from, specified(number))
	if err != nil {
		p.drop(from)
		return err
	}
	stream.next = number
	p.stream, p.from = stream, from
	p.log.Infof("Pulling blocks from %s, from block [%d] to [%d]", from.endpoint.Address, number, from.height-1)
	return nil
}

// thatHave are the sources that have block number.
func thatHave(number uint64, probes []probe) []*source {
	var able []*source
	for _, pr := range probes {
		if pr.err == nil && pr.source.height > number {
			able = append(able, pr.source)
		}
	}
	return able
}

// LastConfigBlock implements ChainPuller.
func (p *BlockPuller) LastConfigBlock(ctx context.Context) (*cb.Block, error) {
	ask := p.probe
	if p.target.Hurry {
		ask = p.probeHurried
	}
	probes := ask(ctx)
	var best *probe
	for i := range probes {
		if pr := &probes[i]; pr.err == nil && (best == nil || pr.source.height > best.source.height) {
			best = pr
		}
	}
	if best == nil {
		return nil, summary(probes)
	}
	index, err := protoutil.LastConfigIndex(best.last)
	if err != nil {
		return nil, fmt.Errorf("reading the last config index of block [%d] of %s: %w",
			best.last.Header.Number, best.source.endpoint.Address, err)
	}
	block := best.last
	if index != block.Header.Number {
		stream, err := p.seek(ctx, best.source, specified(index))
		if err != nil {
			return nil, err
		}
		defer stream.cancel()
		if block, err = stream.receive(); err != nil {
			return nil, fmt.Errorf("receiving config block [%d] from %s: %w", index, best.source.endpoint.Address, err)
		}
	}
	if block.Header.Number != index || !protoutil.IsConfigBlock(block) {
		return nil, fmt.Errorf("%s says that block [%d] is its last config block, which it is not", best.source.endpoint.Address, index)
	}
	if err := p.target.Verify([]*cb.Block{block}); err != nil {
		return nil, fmt.Errorf("verifying config block [%d] of %s: %w", index, best.source.endpoint.Address, err)
	}
	return block, nil
}

// Heights asks every endpoint for its height. Endpoints that do not answer are
// left out; if none does, the error says why.
func (p *BlockPuller) Heights(ctx context.Context) (map[string]uint64, error) {
	probes := p.probe(ctx)
	heights := map[string]uint64{}
	for _, pr := range probes {
		if pr.err == nil {
			heights[pr.source.endpoint.Address] = pr.source.height
		}
	}
	if len(heights) == 0 {
		return nil, summary(probes)
	}
	return heights, nil
}

func (p *BlockPuller) source(e Endpoint) (*source, error) {
	if s := p.sources[e.Address]; s != nil {
		return s, nil
	}
	s, err := p.connect(e)
	if err != nil {
		return nil, err
	}
	p.sources[e.Address] = s
	return s, nil
}

func (p *BlockPuller) closeStream() {
	if p.stream != nil {
		p.stream.cancel()
		p.stream = nil
	}
}

// drop closes the connection to a source that failed.
func (p *BlockPuller) drop(s *source) {
	if p.from == s {
		p.closeStream()
	}
	if p.sources[s.endpoint.Address] == s {
		delete(p.sources, s.endpoint.Address)
		_ = s.conn.Close() // it is of no use any more either way
	}
}

// Close implements ChainPuller.
func (p *BlockPuller) Close() {
	p.closeStream()
	for address, s := range p.sources {
		delete(p.sources, address)
		_ = s.conn.Close() // nothing is under way
	}
}

var _ ChainPuller = (*BlockPuller)(nil)

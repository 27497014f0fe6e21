package onboarding

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/cluster"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
)

const (
	systemChannel = "syschannel"
	appChannel    = "ch1"
)

// readChannel returns the ledger that a real orderer wrote, through Kafka, the
// migration and Raft.
func readChannel(t testing.TB, version, channel string) []*cb.Block {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("testdata/fabric-%s-%s.blocks.gz", version, channel))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	content, err := io.ReadAll(z)
	require.NoError(t, err)
	var blocks []*cb.Block
	for len(content) > 0 {
		raw, n := protowire.ConsumeBytes(content)
		require.Positive(t, n)
		block, err := protoutil.UnmarshalBlock(raw)
		require.NoError(t, err)
		blocks, content = append(blocks, block), content[n:]
	}
	return blocks
}

// serverCert is the server certificate of a consenter.
func serverCert(t testing.TB, blocks []*cb.Block, index int) []byte {
	t.Helper()
	for i := len(blocks) - 1; ; i-- {
		require.GreaterOrEqual(t, i, 0, "no Raft configuration")
		if md, err := raftmetadata.OfConfigBlock(blocks[i]); err == nil {
			return md.Consenters[index].ServerTlsCert
		}
	}
}

// world is what other orderers have.
type world struct {
	mu       sync.Mutex
	channels map[string][]*cb.Block
	errs     map[string]error
	pulled   map[string]int
}

func newWorld(t testing.TB, version string) *world {
	return &world{
		channels: map[string][]*cb.Block{
			systemChannel: readChannel(t, version, systemChannel), appChannel: readChannel(t, version, appChannel),
		},
		errs: map[string]error{}, pulled: map[string]int{},
	}
}

func (w *world) newPuller(target cluster.PullTarget) cluster.ChainPuller {
	return &worldPuller{w: w, target: target}
}

type worldPuller struct {
	w      *world
	target cluster.PullTarget
}

func (p *worldPuller) block(number uint64) (*cb.Block, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if err := p.w.errs[p.target.Channel]; err != nil {
		return nil, err
	}
	blocks := p.w.channels[p.target.Channel]
	if number >= uint64(len(blocks)) {
		return nil, errors.New("no such block")
	}
	p.w.pulled[p.target.Channel]++
	return proto.Clone(blocks[number]).(*cb.Block), nil
}

func (p *worldPuller) PullBlock(_ context.Context, number uint64) (*cb.Block, error) {
	if len(p.target.Endpoints) == 0 {
		return nil, errors.New("no endpoints")
	}
	block, err := p.block(number)
	if err != nil {
		return nil, err
	}
	return block, p.target.Verify([]*cb.Block{block})
}

func (p *worldPuller) LastConfigBlock(ctx context.Context) (*cb.Block, error) {
	p.w.mu.Lock()
	number := len(p.w.channels[p.target.Channel]) - 1
	p.w.mu.Unlock()
	for ; number > 0; number-- {
		block, err := p.block(uint64(number))
		if err != nil || isChannelConfig(block) {
			return block, err
		}
	}
	return p.block(0)
}

func (p *worldPuller) Close() {}

// memoryLedgers is a ledger factory in memory.
type memoryLedgers struct {
	mu      sync.Mutex
	ledgers map[string]*memoryLedger
	// failAppend makes the n-th append fail, counted down.
	failAppend int
}

var errFull = errors.New("disk full")

func newMemoryLedgers() *memoryLedgers { return &memoryLedgers{ledgers: map[string]*memoryLedger{}} }

func (m *memoryLedgers) GetOrCreate(channel string) (blockledger.ReadWriter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ledgers[channel] == nil {
		m.ledgers[channel] = &memoryLedger{factory: m}
	}
	return m.ledgers[channel], nil
}

func (m *memoryLedgers) Remove(channel string) error { delete(m.ledgers, channel); return nil }
func (m *memoryLedgers) Close() error                { return nil }
func (m *memoryLedgers) ChannelIDs() ([]string, error) {
	var ids []string
	for id := range m.ledgers {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids, nil
}

func (m *memoryLedgers) height(channel string) uint64 {
	l, _ := m.GetOrCreate(channel)
	return l.Height()
}

type memoryLedger struct {
	factory *memoryLedgers
	mu      sync.Mutex
	blocks  []*cb.Block
}

func (l *memoryLedger) Iterator(*ab.SeekPosition) (blockledger.Iterator, uint64) { return nil, 0 }

func (l *memoryLedger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks))
}

func (l *memoryLedger) BlockByNumber(number uint64) (*blockledger.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number >= uint64(len(l.blocks)) {
		return nil, blockledger.ErrNotFound
	}
	return blockledger.NewEntry(l.blocks[number]), nil
}

func (l *memoryLedger) Append(block *cb.Block) error {
	l.factory.mu.Lock()
	defer l.factory.mu.Unlock()
	if l.factory.failAppend > 0 {
		if l.factory.failAppend--; l.factory.failAppend == 0 {
			return errFull
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if block.Header.Number != uint64(len(l.blocks)) {
		return fmt.Errorf("block number should have been %d but was %d", len(l.blocks), block.Header.Number)
	}
	l.blocks = append(l.blocks, block)
	return nil
}

type fakeSigner struct{}

func (fakeSigner) Sign([]byte) ([]byte, error) { return []byte("signature"), nil }
func (fakeSigner) Serialize() ([]byte, error)  { return []byte("creator"), nil }

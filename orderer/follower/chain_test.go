package follower

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/blockledger/fileledger"
	"raftmig/orderer/cluster"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
	"raftmig/orderer/types"
)

const patience = 10 * time.Second

// cloud is what the other orderers have.
type cloud struct {
	mu     sync.Mutex
	blocks []*cb.Block
	down   bool
	claim  uint64 // a height that one of them tells beyond what they have
	pulled []uint64
	asked  [][]string // addresses of every puller
}

func (c *cloud) with(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *cloud) put(blocks ...*cb.Block) { c.with(func() { c.blocks = blocks }) }

type fakePuller struct {
	*cloud
	target cluster.PullTarget
}

func (p fakePuller) PullBlock(_ context.Context, number uint64) (*cb.Block, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down || number >= uint64(len(p.blocks)) {
		return nil, errors.New("nobody has it")
	}
	b := proto.Clone(p.blocks[number]).(*cb.Block)
	if err := p.target.Verify([]*cb.Block{b}); err != nil {
		return nil, err
	}
	p.pulled = append(p.pulled, number)
	return b, nil
}

func (p fakePuller) Heights(context.Context) (map[string]uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.New("nobody answers")
	}
	return map[string]uint64{"a": p.claim, "b": uint64(len(p.blocks))}, nil
}

func (p fakePuller) Close() {}

// world is a channel of which this node is a consenter in the blocks that are
// members.
type world struct {
	t       *testing.T
	net     *fixture.Network
	cloud   cloud
	genesis *cb.Block
	ledger  blockledger.ReadWriter
	members map[uint64]bool
	became  chan *Chain
	mu      sync.Mutex
	reports []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, net: fixture.New(t), members: map[uint64]bool{}, became: make(chan *Chain, 5)}
	w.genesis = w.net.AppGenesis("ch1", 1, 7050)
	f, err := fileledger.New(t.TempDir(), fileledger.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	w.ledger, err = f.GetOrCreate("ch1")
	require.NoError(t, err)
	return w
}

// chain makes blocks after the genesis block: config blocks and others, signed
// by an orderer.
func (w *world) chain(config ...bool) []*cb.Block {
	blocks := []*cb.Block{w.genesis}
	lastConfig := uint64(0)
	for i, c := range config {
		number := uint64(i) + 1
		msg := protoutil.NewMessage(w.net.Message("ch1", w.net.OrgUser("User1"), "x"))
		if c {
			env, err := protoutil.EnvelopeAt(w.genesis, 0)
			require.NoError(w.t, err)
			msg, lastConfig = protoutil.NewMessage(env), number
		}
		b := protoutil.NewBlockOf(number, protoutil.BlockHeaderHash(blocks[i].Header), []*protoutil.Message{msg})
		w.sign(b, lastConfig)
		blocks = append(blocks, b)
	}
	return blocks
}

func (w *world) sign(b *cb.Block, lastConfig uint64) {
	signer := w.net.Orderer(0)
	sh, err := protoutil.NewSignatureHeader(signer)
	require.NoError(w.t, err)
	value := protoutil.MustMarshal(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: lastConfig}})
	header := protoutil.MustMarshal(sh)
	sig, err := signer.Sign(slices.Concat(value, header, protoutil.BlockHeaderBytes(b.Header)))
	require.NoError(w.t, err)
	protoutil.SetMetadata(b, cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(&cb.Metadata{
		Value: value, Signatures: []*cb.MetadataSignature{{SignatureHeader: header, Signature: sig}},
	}))
}

func (w *world) have(blocks []*cb.Block) {
	for _, b := range blocks {
		require.NoError(w.t, w.ledger.Append(b))
	}
}

func (w *world) options(join *cb.Block) Options {
	return Options{
		ChannelID: "ch1", Ledger: w.ledger, JoinBlock: join, Signer: w.net.Orderer(0),
		IsChannelMember: func(b *cb.Block) (bool, error) { return w.members[b.Header.Number], nil },
		NewPuller: func(t cluster.PullTarget) Puller {
			w.cloud.with(func() {
				var addresses []string
				for _, e := range t.Endpoints {
					addresses = append(addresses, e.Address)
				}
				w.cloud.asked = append(w.cloud.asked, addresses)
			})
			return fakePuller{&w.cloud, t}
		},
		Become: func(c *Chain) { w.became <- c },
		Report: func(r types.ConsensusRelation, s types.Status) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reports = append(w.reports, string(r)+" "+string(s))
		},
		PullRetryMin: time.Millisecond, PullRetryMax: 2 * time.Millisecond, HeightPollMin: time.Millisecond, HeightPollMax: 2 * time.Millisecond,
	}
}

func (w *world) start(o Options) *Chain {
	c, err := New(o)
	require.NoError(w.t, err)
	c.Start()
	w.t.Cleanup(c.Halt)
	return c
}

func (w *world) reaches(c *Chain, height uint64, relation types.ConsensusRelation, status types.Status) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		r, s := c.StatusReport()
		return c.Height() == height && r == relation && s == status
	}, patience, time.Millisecond)
}

func (w *world) becomes(c *Chain) {
	w.t.Helper()
	select {
	case got := <-w.became:
		require.Same(w.t, c, got)
	case <-time.After(patience):
		require.Fail(w.t, "does not become a consenter")
	}
	r, s := c.StatusReport()
	require.Equal(w.t, types.ConsensusRelationConsenter, r)
	require.Equal(w.t, types.StatusActive, s)
	c.Halt() // its goroutine has ended, or this would hang
}

func TestOnboardingThenFollowingThenConsenter(t *testing.T) {
	w := newWorld(t)
	blocks := w.chain(false, true, false, false, true, false)
	w.members[5] = true
	w.cloud.put(blocks[:2]...) // others are behind the join block
	o := w.options(blocks[2])
	var configs []uint64
	o.OnConfig = func(b *cb.Block) { configs = append(configs, b.Header.Number) }
	c, err := New(o)
	require.NoError(t, err)
	w.reaches(c, 0, types.ConsensusRelationFollower, types.StatusOnBoarding)
	c.Start()
	t.Cleanup(c.Halt)
	w.reaches(c, 2, types.ConsensusRelationFollower, types.StatusOnBoarding)
	w.cloud.put(blocks[:4]...)
	w.reaches(c, 4, types.ConsensusRelationFollower, types.StatusActive)
	w.cloud.with(func() { w.cloud.down = true })
	w.cloud.put(blocks...)
	w.cloud.with(func() { w.cloud.down = false })
	w.becomes(c)
	require.Equal(t, uint64(7), c.Height(), "up to what others had")
	require.Equal(t, []string{"follower onboarding", "follower active", "consenter active"}, w.reports)
	require.Equal(t, []uint64{0, 1, 2, 3, 4, 5, 6}, w.cloud.pulled, "each block once")
	require.Equal(t, []uint64{0, 2, 5}, configs)
	for _, addresses := range w.cloud.asked {
		require.Equal(t, []string{"localhost:7050"}, addresses)
	}
}

func TestAJoinBlockThatMakesThisNodeAConsenter(t *testing.T) {
	w := newWorld(t)
	blocks := w.chain(false, true)
	w.members[2] = true
	w.cloud.put(blocks...)
	c, err := New(w.options(blocks[2]))
	require.NoError(t, err)
	w.reaches(c, 0, types.ConsensusRelationConsenter, types.StatusOnBoarding)
	c.Start()
	w.becomes(c)
	require.Equal(t, uint64(3), c.Height())
}

// A process that was killed at any block goes on with the join block, also when
// all blocks are there already.
func TestARestartInTheMiddleOfOnboardingGoesOn(t *testing.T) {
	for height := range 5 {
		w := newWorld(t)
		blocks := w.chain(false, true, false, true)
		w.members[4] = true
		w.have(blocks[:height])
		w.cloud.put(blocks...)
		w.becomes(w.start(w.options(blocks[4])))
		require.Equal(t, uint64(5), w.ledger.Height())
		require.Len(t, w.cloud.pulled, 5-height)
	}
}

// Fabric's issue 3992: a node that was evicted and added again while it was
// down, and learns so from a message to another Raft ID, has a ledger that says
// that it is a consenter all the time.
func TestAnEvictedNodeDoesNotBelieveItsOwnLedger(t *testing.T) {
	w := newWorld(t)
	blocks := w.chain(false, true, true)
	w.members[0], w.members[3] = true, true
	w.have(blocks[:2])
	w.cloud.with(func() { w.cloud.down = true })
	o := w.options(nil)
	o.Evicted = true
	c := w.start(o)
	r, s := c.StatusReport()
	require.Equal(t, types.ConsensusRelationFollower, r)
	require.Equal(t, types.StatusActive, s)
	w.cloud.put(blocks[:3]...) // the eviction
	w.cloud.with(func() { w.cloud.down = false })
	w.reaches(c, 3, types.ConsensusRelationFollower, types.StatusActive)
	require.Empty(t, w.became)
	w.cloud.put(blocks...)
	w.becomes(c)
}

// What an orderer told and nobody has, as one that was set back to a backup
// since, is not pulled for ever.
func TestAHeightThatNobodyHasIsForgotten(t *testing.T) {
	for _, evicted := range []bool{false, true} {
		w := newWorld(t)
		blocks := w.chain(false, true)
		w.members[2] = true
		w.have(blocks[:2])
		w.cloud.put(blocks...)
		w.cloud.with(func() { w.cloud.claim = 10 })
		o := w.options(nil)
		o.Evicted = evicted
		c := w.start(o)
		if evicted {
			w.reaches(c, 3, types.ConsensusRelationFollower, types.StatusActive)
			w.cloud.with(func() { w.cloud.claim = 0 })
		}
		w.becomes(c)
	}
}

// A chain that others take for another node although its ledger is up to date
// comes back, but not at once, so that it does not come and go all the time.
func TestAnEvictionWithoutNewsIsFollowedByAPause(t *testing.T) {
	w := newWorld(t)
	blocks := w.chain(false, true)
	w.members[2] = true
	w.have(blocks)
	w.cloud.put(blocks...)
	o := w.options(nil)
	o.Evicted, o.HeightPollMax = true, 200*time.Millisecond
	begin := time.Now()
	w.becomes(w.start(o))
	require.GreaterOrEqual(t, time.Since(begin), o.HeightPollMax)

	o.HeightPollMax = time.Hour
	c := w.start(o)
	require.Eventually(t, func() bool {
		asked := 0
		w.cloud.with(func() { asked = len(w.cloud.asked) })
		return asked > 1
	}, patience, time.Millisecond)
	c.Halt()
	require.Empty(t, w.became)
}

func TestBlocksThatAreNotBelieved(t *testing.T) {
	for name, change := range map[string]func(w *world, blocks []*cb.Block) (join *cb.Block){
		"a chain that does not lead to the join block": func(w *world, blocks []*cb.Block) *cb.Block {
			return w.chain(false, true)[2] // other blocks of the same numbers
		},
		"a block that nobody signed": func(_ *world, blocks []*cb.Block) *cb.Block {
			protoutil.SetMetadata(blocks[2], cb.BlockMetadataIndex_SIGNATURES, nil)
			return blocks[2]
		},
		"a block signed by somebody else": func(w *world, blocks []*cb.Block) *cb.Block {
			md := &cb.Metadata{}
			require.NoError(w.t, proto.Unmarshal(blocks[2].Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES], md))
			md.Signatures[0].Signature[10] ^= 1
			protoutil.SetMetadata(blocks[2], cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(md))
			return blocks[2]
		},
		"a genesis block of another channel": func(w *world, blocks []*cb.Block) *cb.Block {
			blocks[0] = w.net.AppGenesis("other", 1, 7050)
			return blocks[2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			blocks := w.chain(false, true)
			join := change(w, blocks)
			w.cloud.put(blocks...)
			c := w.start(w.options(join))
			// it tries again and again, and stays where it is
			require.Eventually(t, func() bool {
				asked := 0
				w.cloud.with(func() { asked = len(w.cloud.asked) })
				return asked > 5
			}, patience, time.Millisecond)
			require.Less(t, c.Height(), uint64(3))
			_, s := c.StatusReport()
			require.Equal(t, types.StatusOnBoarding, s)
		})
	}
}

func TestWhatCannotBeFollowed(t *testing.T) {
	w := newWorld(t)
	_, err := New(w.options(nil))
	require.EqualError(t, err, "neither a ledger nor a join-block")
	noOrderers := w.net.SystemConfig()
	fixture.SetAddresses(noOrderers)
	_, err = New(w.options(w.net.ConfigBlock("ch1", noOrderers)))
	require.EqualError(t, err, "error creating a block puller from join-block: the configuration has no orderer endpoints")
	o := w.options(w.genesis)
	o.IsChannelMember = func(*cb.Block) (bool, error) { return false, errors.New("oops") }
	_, err = New(o)
	require.EqualError(t, err, "failed to determine cluster membership: oops")
}

func TestHaltBeforeStart(t *testing.T) {
	w := newWorld(t)
	c, err := New(w.options(w.genesis))
	require.NoError(t, err)
	c.Halt()
	c.Start()
	c.Halt()
	require.Zero(t, c.Height())
}

package multichannel

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockledger/fileledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster"
	"raftmig/orderer/consensus"
	"raftmig/orderer/filerepo"
	"raftmig/orderer/follower"
	"raftmig/orderer/metrics/prom"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// clusterConsenter is a testConsenter of a cluster type. This node is a
// consenter of the channels in members.
type clusterConsenter struct {
	testConsenter
	members   map[string]bool
	memberErr error
	onChain   func() // called when a chain was made; may be nil
	untracked bool
	forgotten []string
}

func (c *clusterConsenter) HandleChain(s consensus.ConsenterSupport, md *cb.Metadata) (consensus.Chain, error) {
	chain, err := c.testConsenter.HandleChain(s, md)
	if err != nil {
		return nil, err
	}
	if c.onChain != nil {
		c.onChain()
	}
	return &clusterChain{testChain: chain.(*testChain), member: c.members[s.ChannelID()]}, nil
}

func (c *clusterConsenter) IsChannelMember(b *cb.Block) (bool, error) {
	id, err := protoutil.ChannelIDOf(b)
	if err != nil {
		return false, err
	}
	return c.members[id], c.memberErr
}

func (c *clusterConsenter) RemoveInactiveChainRegistry() { c.untracked = true }

func (c *clusterConsenter) ForgetChain(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten = append(c.forgotten, id)
}

type clusterChain struct {
	*testChain
	member  bool
	halting chan struct{} // if not nil, Halt waits for it
}

func (c *clusterChain) Halt() {
	if c.halting != nil {
		<-c.halting
	}
	c.testChain.Halt()
}

func (c *clusterChain) StatusReport() (types.ConsensusRelation, types.Status) {
	if !c.member {
		return types.ConsensusRelationConfigTracker, types.StatusInactive
	}
	return types.ConsensusRelationConsenter, types.StatusActive
}

// nobody is a puller without orderers to pull from.
type nobody struct{}

func (nobody) PullBlock(context.Context, uint64) (*cb.Block, error) { return nil, errors.New("no") }

func (nobody) Heights(context.Context) (map[string]uint64, error) {
	return nil, errors.New("no")
}

func (nobody) Close() {}

// participant is a node with the channel participation API.
type participant struct {
	*world
	cluster   *clusterConsenter
	repo      *filerepo.Repo
	beside    func(string) error // besides the join block, removed with a channel
	provider  *prom.Provider
	removed   []string
	stopped   bool
	haltAtEnd bool
}

func newParticipant(t *testing.T) *participant {
	p := &participant{world: newWorld(t), beside: func(string) error { return nil }}
	p.cluster = &clusterConsenter{members: map[string]bool{"ch1": true, "ch2": true, "syschannel": true}}
	var err error
	p.repo, err = filerepo.New(p.net.Path("pendingops"), "join")
	require.NoError(t, err)
	l, err := fileledger.New(p.net.Path("participant"), fileledger.Options{OnRemove: func(id string) error {
		return errors.Join(p.repo.Remove(id), p.beside(id))
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	p.ledgers = &failingLedgers{Factory: l, fail: map[string]error{}}
	return p
}

// stored are the channels that have a ledger.
func (p *participant) stored() []string {
	ids, err := p.ledgers.ChannelIDs()
	require.NoError(p.t, err)
	return ids
}

// begin starts the registrar, as a start of the process does.
func (p *participant) begin() error {
	p.provider = prom.New()
	p.consenters = map[string]consensus.Consenter{channelconfig.ConsensusEtcdRaft: p.cluster}
	p.participation = Participation{
		JoinBlocks: p.repo, Metrics: p.provider, Removed: func(id string) { p.removed = append(p.removed, id) },
		Follower:     follower.Options{NewPuller: func(cluster.PullTarget) follower.Puller { return nobody{} }},
		StopTracking: func() { p.stopped = true },
	}
	p.cluster.started = nil
	err := p.initialize()
	if !p.haltAtEnd {
		p.haltAtEnd = true
		p.t.Cleanup(func() { require.NoError(p.t, p.r.Halt(time.Minute)) })
	}
	return err
}

func (p *participant) genesis(channel string) *cb.Block {
	return p.net.AppGenesis(channel, 1, 7050)
}

func (p *participant) system() *cb.Block {
	return p.net.Genesis(func(c *cb.Config) { p.net.SetRaft(c, p.net.RaftMetadata(7050)) })
}

func (p *participant) height(channel string) uint64 {
	l, err := p.ledgers.GetOrCreate(channel)
	require.NoError(p.t, err)
	return l.Height()
}

func (p *participant) joining() []string {
	names, err := p.repo.Names()
	require.NoError(p.t, err)
	return names
}

func (p *participant) metrics() string {
	w := httptest.NewRecorder()
	p.provider.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func (p *participant) info(channel string) types.ChannelInfo {
	p.t.Helper()
	info, err := p.r.ChannelInfo(channel)
	require.NoError(p.t, err)
	return info
}

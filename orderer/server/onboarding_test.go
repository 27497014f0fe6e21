package server

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/blockledger/fileledger"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
)

// faultyLedgers kill an orderer at a ledger operation: nothing is done any
// more from the n-th on. Even numbers of after let that operation itself
// happen, as a process may die before it learns of its success.
type faultyLedgers struct {
	blockledger.Factory
	mu    sync.Mutex
	after int
}

var errKilled = errors.New("killed")

// do performs an operation unless the orderer is dead, or dies by it.
func (f *faultyLedgers) do(op func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after--
	if f.after <= 0 {
		return errKilled
	}
	err := op()
	if f.after--; f.after <= 0 {
		return errors.Join(errKilled, err)
	}
	return err
}

func (f *faultyLedgers) GetOrCreate(channelID string) (l blockledger.ReadWriter, err error) {
	err = f.do(func() error {
		l, err = f.Factory.GetOrCreate(channelID)
		return err
	})
	return &faultyLedger{l, f}, err
}

type faultyLedger struct {
	blockledger.ReadWriter
	f *faultyLedgers
}

func (l *faultyLedger) Append(block *cb.Block) error {
	return l.f.do(func() error { return l.ReadWriter.Append(block) })
}

// newcomer is a network of two Raft orderers with the channels ch1 and ch2.
// Orderer 2 was added to the system channel and to ch1; the bootstrap file is
// the block that added it to the former. want is what it has to fetch.
func newcomer(t *testing.T, start func(n *network, i int) *running) (nodes []*running, want map[string][]*cb.Block) {
	n := newNetwork(t)
	all := n.ports
	n.ports = all[:2] // the newcomer does not ask itself
	n.raftGenesis(n.RaftMetadata(n.ports...))
	n.ports = all
	nodes = []*running{start(n, 0), start(n, 1)}
	o, admin, orgAdmin := nodes[0], n.OrdererAdmin(), n.OrgUser("Admin")
	for _, r := range nodes {
		r.awaitLog("Raft leader changed: 0 -> ")
	}
	o.accepted(n.Creation())
	other := n.CreationUpdate()
	other.ChannelId = "ch2"
	o.accepted(n.SignedUpdate(other, orgAdmin, orgAdmin))
	o.blocks("ch1", admin, 0)
	o.blocks("ch2", admin, 0)
	for i := range 2 {
		o.accepted(n.Message("ch1", n.OrgUser("User1"), fmt.Sprint("before ", i)))
		o.blocks("ch1", admin, uint64(i)+1)
	}
	add := func(c *ab.ConsensusType) { c.Metadata = n.RaftMetadata(n.ports...) }
	boot := o.changeConsensus("syschannel", add)
	o.changeConsensus("ch1", add)
	require.NoError(t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(boot), 0o600))
	o.accepted(n.Message("ch2", n.OrgUser("User1"), "not for the newcomer"))
	return nodes, map[string][]*cb.Block{
		"syschannel": o.chain("syschannel", admin), "ch1": o.chain("ch1", admin), "ch2": o.blocks("ch2", admin, 0),
	}
}

// requireStored compares the ledgers in a folder.
func requireStored(t *testing.T, dir string, want map[string][]*cb.Block) {
	t.Helper()
	ledgers, err := fileledger.New(dir, fileledger.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, ledgers.Close()) }()
	ids, err := ledgers.ChannelIDs()
	require.NoError(t, err)
	require.Len(t, ids, len(want))
	for channel, blocks := range want {
		l, err := ledgers.GetOrCreate(channel)
		require.NoError(t, err)
		var got []*cb.Block
		for number := range l.Height() {
			e, err := l.BlockByNumber(number)
			require.NoError(t, err)
			got = append(got, e.Block)
		}
		requireSameBlocks(t, blocks, got)
	}
}

// Killed before or after any operation on a ledger while it replicates (spec
// 5.4), a new orderer goes on at its next start with the bootstrap block, and
// ends with what the others have.
func TestOnboardingThatIsKilledGoesOn(t *testing.T) {
	onboardKilled(t, func(n *network, i int) *running { return n.start(i, "") })
}

func TestInteropOnboardingFromRealOrderersThatIsKilledGoesOn(t *testing.T) {
	fabrictest.Since(t, 2, 0, "the fixture's roots have high-S signatures, which it refuses if a current Go built it; TestInteropANewNodeJoinsNodesOfTheOtherEngine joins it")
	onboardKilled(t, (*network).startFabric)
}

func onboardKilled(t *testing.T, start func(n *network, i int) *running) {
	nodes, want := newcomer(t, start)
	n := nodes[0].network
	// ends a start when the replication is over, before there are chains
	replicateOnly := func(c *localconfig.TopLevel) { c.Consensus.WALDir = "" }
	const over = "Consensus.WALDir and Consensus.SnapDir must be set"
	wentOn := 0
	for point := 1; ; point++ {
		require.NoError(t, os.RemoveAll(n.Path("o2")))
		r := n.launchWith(2, "", replicateOnly, func(o *Options) {
			o.wrapLedgers = func(f blockledger.Factory) blockledger.Factory { return &faultyLedgers{Factory: f, after: point} }
		})
		<-r.ended
		if !errors.Is(r.err, errKilled) {
			require.ErrorContains(t, r.err, over)
			break
		}
		r = n.launchChanged(2, "", replicateOnly)
		<-r.ended
		require.ErrorContains(t, r.err, over, "killed at point %d:\n%s", point, r.log.String())
		requireStored(t, n.Path("o2"), want)
		if logged := r.log.String(); strings.Contains(logged, "Going on with bootstrap block") {
			wentOn++
		} else if !strings.Contains(logged, "replication is needed") {
			require.Contains(t, logged, "Not bootstrapping the system channel because of existing channels")
		}
	}
	require.Greater(t, wentOn, 2*len(want["ch1"]))

	r := n.start(2, "")
	require.Contains(t, r.log.String(), "Not bootstrapping the system channel because of existing channels")
	r.awaitLog("Raft leader changed: 0 -> ")
	r.accepted(n.Message("ch1", n.OrgUser("User1"), "after"))
	last := uint64(len(want["ch1"]))
	blocks := nodes[0].blocks("ch1", n.OrdererAdmin(), last)
	for _, other := range []*running{nodes[1], r} {
		requireSameBlocks(t, blocks, other.blocks("ch1", n.OrdererAdmin(), last))
	}
}

// Whatever the bootstrap file holds, a node with ledgers that are not an
// unfinished replication of its channel goes on from them (appendix B).
func TestExistingLedgersWinOverTheBootstrapFile(t *testing.T) {
	n := newNetwork(t)
	genesis, err := os.ReadFile(n.Path("genesis.block"))
	require.NoError(t, err)
	o := n.start(0, "")
	o.awaitLog("Start phase completed successfully")
	block := o.changeConsensus("syschannel", func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
	o.shutdown()
	for name, content := range map[string][]byte{
		"the genesis block": genesis, "junk": {1, 2, 3}, "a block that the ledger has": protoutil.MustMarshal(block),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(n.Path("genesis.block"), content, 0o600))
			r := (&network{Network: n.Network, t: t, broker: n.broker, ports: n.ports}).start(0, "")
			require.Contains(t, r.log.String(), "Not bootstrapping the system channel because of existing channels")
			r.shutdown()
		})
	}
}

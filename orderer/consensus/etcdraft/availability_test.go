package etcdraft

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/consensus"
	"raftmig/orderer/msp"
	"raftmig/orderer/protoutil"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWithoutALeaderNothingIsTakenAndReadersAreTold(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.nodes[0].start()
	chain := net.nodes[0].chain("ch1")
	require.NoError(t, chain.WaitReady())
	require.EqualError(t, chain.Order(normalMessage("ch1", "x"), 0), "no Raft leader")
	require.True(t, closed(chain.Errored()))

	net.nodes[1].start()
	net.waitLeader("ch1")
	net.eventually(func() bool { return !closed(chain.Errored()) }, "the channel does not become available")
	available := chain.Errored()
	net.nodes[1].stop()
	net.eventually(func() bool { return closed(available) }, "readers are not told")
	net.eventually(func() bool { return chain.Order(normalMessage("ch1", "x"), 0) != nil }, "messages are still taken")

	net.nodes[1].start()
	net.waitLeader("ch1")
	net.nodes[0].order("ch1", "again")
	net.waitHeight("ch1", 2, net.nodes[0], net.nodes[1])
}

func TestAClusterOfTwoStaysReadableWithoutALeader(t *testing.T) {
	net := newNetwork(t, 2)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")
	other := net.others(leader)[0]
	other.stop()
	net.eventually(func() bool {
		return leader.logs.FilterMessage("No leader is present, cluster size is 2").Len() > 0
	}, "the loss of the leader is not noticed")
	require.False(t, closed(leader.chain("ch1").Errored()))

	said := func(text string) bool { return leader.logs.FilterMessageSnippet(text).Len() > 0 }
	id := other.chains["ch1"].(*Chain).id
	net.eventually(func() bool { return said(fmt.Sprintf("Failed to send StepRequest to %d, because: ", id)) }, "nothing is said")
	other.start()
	net.eventually(func() bool {
		return said(fmt.Sprintf("Successfully sent StepRequest to %d after failed attempt(s)", id))
	}, "nothing is said of the recovery")
}

func TestAChainThatIsNotRunningSaysSo(t *testing.T) {
	net := newNetwork(t, 1)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	node := net.nodes[0]
	node.start()
	s := newFakeSupport("ch2", net.config(net.nodes...))
	chain, err := node.consenter.HandleChain(s, s.lastMetadata(t))
	require.NoError(t, err)
	require.EqualError(t, chain.WaitReady(), "chain is not started")
	require.EqualError(t, chain.Order(normalMessage("ch2", "x"), 0), "chain is not started")
	require.EqualError(t, node.consenter.OnConsensus("ch2", 1, &ab.ConsensusRequest{}), "chain is not started")
	require.EqualError(t, node.consenter.OnConsensus("ch3", 1, &ab.ConsensusRequest{}), "channel ch3 doesn't exist")
	chain.Halt() // frees the log
	chain, err = node.consenter.HandleChain(s, s.lastMetadata(t))
	require.NoError(t, err)
	chain.Start()
	chain.Halt()
	chain.Halt()
	require.EqualError(t, chain.WaitReady(), "chain is stopped")
	require.EqualError(t, chain.Configure(normalMessage("ch2", "x"), 0), "chain is stopped")
	require.True(t, closed(chain.Errored()))
}

func TestMessagesValidatedUnderAnOlderConfigurationAreValidatedAgain(t *testing.T) {
	net := newNetwork(t, 1)
	config := net.config(net.nodes...)
	net.addChannel("ch1", config, net.nodes)
	node := net.nodes[0]
	s := node.supports["ch1"]
	replaced := configMessage("ch1", config, 2)
	s.onNormal = func(m *protoutil.Message) error {
		if len(m.Payload)%2 == 1 {
			return errors.New("not any more")
		}
		return nil
	}
	s.onConfig = func(*protoutil.Message) (*protoutil.Message, error) { return replaced, nil }
	node.start()
	net.waitLeader("ch1")
	s.mu.Lock()
	s.sequence = 5
	s.mu.Unlock()
	chain := node.chain("ch1")
	odd, even := normalMessage("ch1", "a"), normalMessage("ch1", "ab")
	if len(odd.Payload)%2 == 0 {
		odd, even = even, odd
	}
	require.NoError(t, chain.Order(odd, 4)) // the client is told nothing of what follows
	require.NoError(t, chain.Order(odd, 5))
	require.NoError(t, chain.Order(even, 4))
	require.NoError(t, chain.Configure(configMessage("ch1", config, 1), 4))
	net.waitHeight("ch1", 4, node)
	require.Equal(t, [][]byte{odd.Bytes()}, s.Block(1).Data.Data)
	require.Equal(t, [][]byte{even.Bytes()}, s.Block(2).Data.Data)
	require.Equal(t, [][]byte{replaced.Bytes()}, s.Block(3).Data.Data)
}

func TestABatchIsCutWhenItsTimeIsUp(t *testing.T) {
	net := newNetwork(t, 1)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	node := net.nodes[0]
	s := node.supports["ch1"]
	s.cutter.max, s.orderer.batchTimeout = 10, 30*time.Millisecond
	node.start()
	net.waitLeader("ch1")
	node.order("ch1", "a")
	node.order("ch1", "b")
	net.waitHeight("ch1", 2, node)
	require.LessOrEqual(t, len(s.Block(1).Data.Data), 2)
	node.order("ch1", "c")
	net.waitHeight("ch1", 3, node)
}

func TestAConfigurationCutsWhatIsPendingBeforeIt(t *testing.T) {
	net := newNetwork(t, 1)
	config := net.config(net.nodes...)
	net.addChannel("ch1", config, net.nodes)
	node := net.nodes[0]
	node.supports["ch1"].cutter.max = 10
	node.start()
	net.waitLeader("ch1")
	node.order("ch1", "a")
	node.order("ch1", "b")
	node.configure("ch1", config, 0)
	net.waitHeight("ch1", 3, node)
	require.Len(t, node.supports["ch1"].Block(1).Data.Data, 2)
	require.True(t, protoutil.IsConfigBlock(node.supports["ch1"].Block(2)))
}

// What the leader accepted and did not put into the log yet goes to its
// successor.
func TestPendingMessagesOutliveTheLeadership(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	for _, node := range net.nodes {
		node.supports["ch1"].cutter.max = 100
		node.supports["ch1"].orderer.batchTimeout = 2 * time.Second
	}
	net.startAll()
	old := net.waitLeader("ch1")
	for i := 0; i < 5; i++ {
		require.NoError(t, old.chain("ch1").Order(normalMessage("ch1", fmt.Sprint(i)), 0))
	}
	var once sync.Once
	net.eventually(func() bool {
		if len(old.chain("ch1").submissions) == 0 {
			once.Do(func() { old.chain("ch1").node.transferLeadership(nil, func(uint64, error) {}) })
		}
		return net.waitLeader("ch1") != old
	}, "the leadership does not move")
	net.waitHeight("ch1", 2, net.nodes...)
	got := 0
	net.eventually(func() bool {
		got = 0
		s := old.supports["ch1"]
		for n := uint64(1); n < s.Height(); n++ {
			got += len(s.Block(n).Data.Data)
		}
		return got >= 5
	}, "messages were lost")
	require.Equal(t, 5, got)
}

// A block that does not get into the log takes those made after it along, and
// their messages are ordered in new blocks.
func TestBlocksThatRaftDropsAreMadeAnew(t *testing.T) {
	net := newNetwork(t, 1)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	node := net.nodes[0]
	node.start()
	net.waitLeader("ch1")
	c := node.chain("ch1")
	done := make(chan struct{})
	c.node.request(func(*raft.RawNode) {
		// As the raft loop sees it when a transfer is under way.
		c.node.droppedTerm, c.node.droppedEpoch = c.node.role.term, 0
		close(done)
	})
	<-done
	const n = 12
	for i := 0; i < n; i++ {
		node.order("ch1", fmt.Sprint(i))
	}
	net.waitHeight("ch1", n+1, node)
	seen := map[string]int{}
	for b := uint64(1); b <= n; b++ {
		for _, tx := range node.supports["ch1"].Block(b).Data.Data {
			seen[string(tx)]++
		}
	}
	require.Len(t, seen, n)
	for _, times := range seen {
		require.Equal(t, 1, times)
	}
	require.Empty(t, node.fatal)
}

// slowPuller knows of a block that evicts this node, and of none before it.
type slowPuller struct {
	evicting *cb.Block
	pulling  chan struct{}
	closed   atomic.Bool
}

func (p *slowPuller) LastConfigBlock(context.Context) (*cb.Block, error) { return p.evicting, nil }

func (p *slowPuller) PullBlock(ctx context.Context, _ uint64) (*cb.Block, error) {
	close(p.pulling)
	<-ctx.Done()
	return nil, ctx.Err()
}

func (p *slowPuller) Close() { p.closed.Store(true) }

// The ledger of a chain that was halted is not written any more: it may be closed,
// or removed.
func TestHaltWaitsForTheLastBlocksOfAnEvictedNode(t *testing.T) {
	net := newNetwork(t, 2)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	evicting := proto.Clone(newFakeSupport("ch1", net.config(net.nodes[1])).Block(0)).(*cb.Block)
	evicting.Header.Number = 5
	p := &slowPuller{evicting: evicting, pulling: make(chan struct{})}
	node := net.nodes[0]
	node.options = func(o *Options) {
		o.EvictionSuspicion, o.LeaderCheckInterval = 50*time.Millisecond, 10*time.Millisecond
		o.NewPuller = func(consensus.ConsenterSupport) (BlockPuller, error) { return p, nil }
	}
	node.start()
	<-p.pulling
	node.chains["ch1"].Halt()
	require.True(t, p.closed.Load())
	net.eventually(func() bool { return node.tracked.has("ch1") }, "the eviction is not reported")
}

func TestANodeThatWasEvictedWhileItWasDownFindsOut(t *testing.T) {
	net := newNetwork(t, 4)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")
	victim := net.others(leader)[0]
	rest := net.others(victim)
	victim.stop()
	net.eventually(func() bool { return len(leader.chain("ch1").activeNodes()) == 3 }, "three active nodes")
	leader.configure("ch1", net.config(rest...), 1)
	leader.order("ch1", "without")
	net.waitHeight("ch1", 3, rest...)

	victim.options = func(o *Options) {
		o.EvictionSuspicion, o.LeaderCheckInterval = 100*time.Millisecond, 10*time.Millisecond
	}
	victim.start()
	net.eventually(func() bool { return victim.tracked.has("ch1") }, "the eviction is not found out")
	require.Positive(t, victim.logs.FilterMessage("Detected our own eviction from the channel in block [1]").Len())
	require.EqualValues(t, 2, victim.supports["ch1"].Height(), "up to the block that evicts it")
	require.EqualError(t, victim.chains["ch1"].WaitReady(), "chain is stopped")
	require.EqualError(t, victim.consenter.OnConsensus("ch1", 1, &ab.ConsensusRequest{}), "channel ch1 doesn't exist")

	// It is admitted again, with another Raft ID, on the log of its earlier life.
	leader = net.waitLeaderOf("ch1", rest)
	leader.configure("ch1", net.config(append(rest, victim)...), 2)
	net.waitHeight("ch1", 4, rest...)
	s := victim.supports["ch1"]
	for n := s.Height(); n < 4; n++ {
		require.NoError(t, s.Append(leader.supports["ch1"].Block(n)))
	}
	s.config, s.sequence = net.config(append(rest, victim)...), 2
	victim.startChain("ch1")
	require.EqualValues(t, 5, victim.chain("ch1").id)
	victim.order("ch1", "back")
	net.waitHeight("ch1", 5, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)
}

func (n *network) waitLeaderOf(channel string, nodes []*testNode) *testNode {
	n.t.Helper()
	n.waitLeaderAmong(channel, nodes)
	for _, node := range nodes {
		if c := node.chain(channel); c.lead.Load() == c.id {
			return node
		}
	}
	n.t.Fatal("the leader is gone again")
	return nil
}

func TestValidateConsensusMetadata(t *testing.T) {
	net := newNetwork(t, 4)
	three := net.nodes[:3]
	net.addChannel("ch1", net.config(three...), three)
	for _, node := range three {
		node.start()
	}
	leader := net.waitLeader("ch1")
	c := leader.chain("ch1")
	net.eventually(func() bool { return len(c.activeNodes()) == 3 }, "three active nodes")
	orgs := map[string]channelconfig.OrdererOrg{"org": caOrg{ca: net.ca.PEM}}
	orderer := func(md *etcdraft.ConfigMetadata) channelconfig.Orderer {
		return fakeOrderer{metadata: protoutil.MustMarshal(md), orgs: orgs}
	}
	old := orderer(net.config(three...))

	require.NoError(t, c.ValidateConsensusMetadata(old, old, false))
	for _, newChannel := range []bool{true, false} {
		require.EqualError(t, c.ValidateConsensusMetadata(old, fakeOrderer{orgs: orgs}, newChannel), "invalid new config metadata: nil Raft config metadata options",
			"Fabric lets it pass, and no orderer survives the block")
	}
	require.NoError(t, c.ValidateConsensusMetadata(old, orderer(net.config(net.nodes...)), false))
	require.NoError(t, c.ValidateConsensusMetadata(old, orderer(net.config(three[0], three[1])), false))
	require.EqualError(t, c.ValidateConsensusMetadata(old, orderer(net.config(three[0])), false),
		"update of more than one consenter at a time is not supported, requested changes: add 0 node(s), remove 2 node(s)")
	require.EqualError(t, c.ValidateConsensusMetadata(old, orderer(net.config()), false), "invalid new config metadata: empty consenter set")
	require.ErrorContains(t, c.ValidateConsensusMetadata(old, fakeOrderer{metadata: []byte{0xff}, orgs: orgs}, false),
		"failed to unmarshal new etcdraft metadata configuration: ")
	noCA := fakeOrderer{metadata: old.ConsensusMetadata(), orgs: map[string]channelconfig.OrdererOrg{"org": caOrg{ca: []byte{1}}}}
	require.EqualError(t, c.ValidateConsensusMetadata(old, noCA, false), "failed to create x509 verify options from old and new orderer config: "+
		"parsing tls root certs: no PEM data found in cert[01]")
	require.NoError(t, c.ValidateConsensusMetadata(old, orderer(net.config(three[2], three[0])), true))
	require.EqualError(t, c.ValidateConsensusMetadata(old, orderer(net.config(net.nodes...)), true),
		"new channel has consenter that is not part of system consenter set")

	expired := net.config(net.nodes...)
	past := net.ca.Issue(t, "past", clustertest.ValidFor(time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)))
	expired.Consenters[3].ClientTlsCert, expired.Consenters[3].ServerTlsCert = past.PEM, past.PEM
	require.ErrorContains(t, c.ValidateConsensusMetadata(old, orderer(expired), false), "has invalid certificates: verifying tls client cert")

	down := net.others(leader, net.nodes[3])[0]
	down.stop()
	net.eventually(func() bool { return len(c.activeNodes()) == 2 }, "two active nodes")
	require.NoError(t, c.ValidateConsensusMetadata(old, orderer(net.config(net.others(down, net.nodes[3])...)), false), "removing the dead one")
	require.EqualError(t, c.ValidateConsensusMetadata(old, orderer(net.config(leader, down)), false),
		"2 out of 3 nodes are alive, configuration will result in quorum loss")
}

type caOrg struct {
	channelconfig.OrdererOrg
	ca []byte
}

func (o caOrg) MSP() msp.MSP { return caMSP{ca: o.ca} }

type caMSP struct {
	msp.MSP
	ca []byte
}

func (m caMSP) TLSRootCerts() [][]byte         { return [][]byte{m.ca} }
func (m caMSP) TLSIntermediateCerts() [][]byte { return nil }

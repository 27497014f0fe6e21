package etcdraft

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// answers collects what asynchronous messages are answered.
type answers struct {
	mu  sync.Mutex
	got map[string][]error
}

func (a *answers) order(c *Chain, text string, when func()) {
	c.OrderAsync(normalMessage(c.channel, text), c.support.Sequence(), func(err error) {
		if when != nil {
			when()
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.got == nil {
			a.got = map[string][]error{}
		}
		a.got[text] = append(a.got[text], err)
	})
}

func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, errs := range a.got {
		n += len(errs)
	}
	return n
}

func atCommit(net *network) {
	for _, node := range net.nodes {
		node.options = func(o *Options) { o.AcknowledgeAtCommit = true }
	}
}

func TestAtCommitAMessageIsAcknowledgedWhenItIsInABlock(t *testing.T) {
	for _, who := range []string{"leader", "follower"} {
		t.Run(who, func(t *testing.T) {
			net := newNetwork(t, 3)
			config := net.config(net.nodes...)
			net.addChannel("ch1", config, net.nodes)
			atCommit(net)
			for _, node := range net.nodes {
				node.supports["ch1"].cutter.max = 3
			}
			net.startAll()
			node := net.waitLeader("ch1")
			if who == "follower" {
				node = net.others(node)[0]
			}
			s, c := node.supports["ch1"], node.chain("ch1")
			var a answers
			height := make(chan uint64, 10)
			seen := func() { height <- s.Height() }
			a.order(c, "a", seen)
			a.order(c, "a", seen) // the same bytes again: two messages
			require.Never(t, func() bool { return a.count() > 0 }, 20*testTick, testTick, "acknowledged before it is in a block")
			a.order(c, "b", seen)
			net.eventually(func() bool { return a.count() == 3 }, "not acknowledged")
			require.Equal(t, map[string][]error{"a": {nil, nil}, "b": {nil}}, a.got)
			for range 3 {
				require.EqualValues(t, 2, <-height)
			}
			require.Zero(t, c.acks.count())

			require.NoError(t, c.Configure(configMessage("ch1", config, 1), 0))
			require.EqualValues(t, 3, s.Height(), "a configuration likewise")
		})
	}
}

// The leader makes a configuration anew if another one came first; what the client
// sent is in it all the same.
func TestAtCommitAConfigurationIsRecognizedAfterItWasMadeAnew(t *testing.T) {
	config := newNetwork(t, 1).config()
	one := configMessage("ch1", config, 1)
	again, err := protoutil.ConfigEnvelope(one.Envelope)
	require.NoError(t, err)
	again.Config.Sequence = 9
	anew := configEnvelope("ch1", again)
	require.NotEqual(t, one.Bytes(), anew.Bytes())
	require.Equal(t, digestOf(one, true), digestOf(anew, true))
	require.NotEqual(t, digestOf(one, true), digestOf(configMessage("ch1", config, 2), true))
}

func TestAtCommitWhatTheLeaderRefusesIsRefused(t *testing.T) {
	net := newNetwork(t, 1)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	atCommit(net)
	node := net.nodes[0]
	s := node.supports["ch1"]
	s.onNormal = func(*protoutil.Message) error { return fmt.Errorf("not any more") }
	node.start()
	net.waitLeader("ch1")
	s.mu.Lock()
	s.sequence = 5
	s.mu.Unlock()
	require.EqualError(t, node.chain("ch1").Order(normalMessage("ch1", "x"), 4), "bad normal message: not any more")
}

// What a leader had that dies is not acknowledged, and not before the next one
// has shown that it is in no block.
func TestAtCommitMessagesThatDieWithTheLeaderAreNotAcknowledged(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	atCommit(net)
	for _, node := range net.nodes {
		node.supports["ch1"].cutter.max = 100
		node.supports["ch1"].orderer.batchTimeout = time.Second
	}
	net.startAll()
	leader := net.waitLeader("ch1")
	rest := net.others(leader)
	c := rest[0].chain("ch1")
	var a answers
	for i := range 5 {
		a.order(c, fmt.Sprint(i), nil)
	}
	net.eventually(func() bool { return len(leader.chain("ch1").submissions) == 0 && c.acks.count() == 5 }, "not sent")
	leader.kill()
	net.eventually(func() bool { return a.count() == 5 }, "never answered")
	for text, errs := range a.got {
		in := contains(rest[0].supports["ch1"], normalMessage("ch1", text).Bytes())
		for _, err := range errs {
			if in {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errOtherLeader)
			}
		}
	}
	net.waitLeaderAmong("ch1", rest)
	require.NoError(t, c.Order(normalMessage("ch1", "after"), 0))
	require.True(t, contains(rest[0].supports["ch1"], normalMessage("ch1", "after").Bytes()))
}

// kill ends a node without any order.
func (tn *testNode) kill() {
	tn.server.Stop()
	for _, chain := range tn.chains {
		if c, ok := chain.(*Chain); ok {
			c.drained.once.Do(func() {})
			c.halt()
		}
	}
	tn.stop()
}

// An orderly stop answers what waits, at once where it can be.
func TestAtCommitAnOrderlyStopAnswersWhatWaits(t *testing.T) {
	for _, who := range []string{"leader", "follower"} {
		t.Run(who, func(t *testing.T) {
			net := newNetwork(t, 3)
			net.addChannel("ch1", net.config(net.nodes...), net.nodes)
			atCommit(net)
			for _, node := range net.nodes {
				node.supports["ch1"].cutter.max = 100
				node.supports["ch1"].orderer.batchTimeout = time.Minute
			}
			net.startAll()
			node := net.waitLeader("ch1")
			if who == "follower" {
				node = net.others(node)[0]
			}
			var a answers
			for i := range 5 {
				a.order(node.chain("ch1"), fmt.Sprint(i), nil)
			}
			began := time.Now()
			node.chain("ch1").Halt()
			require.Less(t, time.Since(began), drainPatience/2)
			require.Equal(t, 5, a.count())
			for _, errs := range a.got {
				require.Equal(t, []error{nil}, errs)
			}
		})
	}
}

// A configuration that concerns the leader is dropped if nobody takes over (spec
// 4.6): its client need not wait for a block that does not come.
func TestAtCommitAConfigurationThatIsGivenUpIsRefused(t *testing.T) {
	net := newNetwork(t, 1)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	atCommit(net)
	net.startAll()
	c := net.waitLeader("ch1").chain("ch1")
	msg := configMessage("ch1", net.config(net.nodes...), 1)
	s := submission{msg: msg, configSeq: c.support.Sequence()}
	answer := make(chan error, 1)
	c.untilCommit(s, true, func(submitted func(error)) {
		c.drained.steps <- func() {
			c.handOverFirst(&transfer{config: s, attempts: maxTransferAttempts})
		}
		submitted(nil)
	}, func(err error) { answer <- err })
	net.eventually(func() bool { return len(answer) == 1 }, "not answered")
	require.ErrorIs(t, <-answer, errNobodyTookOver)
	require.Zero(t, c.acks.count())
}

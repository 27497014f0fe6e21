package etcdraft

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"

	"raftmig/orderer/protoutil"
)

func TestOrphansAreLostWithTheFirstEntryOfALaterTerm(t *testing.T) {
	c := newBlockCreator(protoutil.NewBlock(4, nil))
	make := func(text string) madeBlock {
		msg := normalMessage("ch1", text)
		return madeBlock{block: c.next(messages(msg)), messages: []submission{{msg: msg}}}
	}
	five, six, seven := make("5"), make("6"), make("7")
	other := protoutil.NewBlockOf(6, protoutil.BlockHeaderHash(five.block.Header), messages(normalMessage("ch1", "other")))

	var o orphans
	o.adopt(3, nil)
	require.Empty(t, o.reachedTerm(9), "there are none")
	o.adopt(3, []madeBlock{five, six, seven})
	require.Empty(t, o.reachedTerm(3), "they may still come")
	o.applied(five.block)
	require.Equal(t, append(six.messages, seven.messages...), o.reachedTerm(4))
	require.Empty(t, o.reachedTerm(5), "once")

	o.adopt(5, []madeBlock{six, seven})
	require.Empty(t, o.take(4, 7), "of another term")
	require.Equal(t, seven.messages, o.take(5, 7))
	require.Empty(t, o.take(5, 7), "once")
	require.Equal(t, six.messages, o.reachedTerm(6))

	o.adopt(6, []madeBlock{six, seven})
	o.applied(other) // of the successor, with a number of ours
	require.Len(t, o.reachedTerm(7), 2)
}

// A leader that is cut off goes on making blocks that nobody takes. Once it is
// back it orders what was in them again.
func TestMessagesInBlocksThatWereOverruledAreOrderedAgain(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	old := net.waitLeader("ch1")
	old.order("ch1", "before")
	net.waitHeight("ch1", 2, net.nodes...)

	// What it sends is lost from now on; it still believes that it leads.
	blocked := make(chan struct{})
	old.chain("ch1").node.request(func(*raft.RawNode) {
		old.chain("ch1").node.rpc = deaf{}
		close(blocked)
	})
	<-blocked
	for i := 0; i < 3; i++ {
		require.NoError(t, old.chain("ch1").Order(normalMessage("ch1", fmt.Sprint("cut off ", i)), 0))
	}
	rest := net.others(old)
	net.waitLeaderAmong("ch1", rest)
	rest[0].order("ch1", "meanwhile")
	net.waitHeight("ch1", 3, rest...)
	old.chain("ch1").node.request(func(*raft.RawNode) { old.chain("ch1").node.rpc = old.chain("ch1").rpc })

	net.waitHeight("ch1", 6, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)
	for i := 0; i < 3; i++ {
		require.True(t, contains(old.supports["ch1"], normalMessage("ch1", fmt.Sprint("cut off ", i)).Bytes()))
	}
	require.EqualValues(t, 6, old.supports["ch1"].Height(), "each once")
}

// deaf loses every message.
type deaf struct{}

func (deaf) SendConsensus(uint64, [][]byte, []byte) error { return nil }

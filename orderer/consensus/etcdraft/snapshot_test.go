package etcdraft

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

func (tn *testNode) snapshotFiles(t testing.TB, channel string) []snapshotFile {
	t.Helper()
	files, err := snapshotFiles(filepath.Join(tn.dir, "snapshot", channel))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	return files
}

func TestANodeThatIsFarBehindCatchesUpWithASnapshot(t *testing.T) {
	net := newNetwork(t, 3)
	config := net.config(net.nodes...)
	config.Options.SnapshotIntervalSize = 1 // a snapshot at every block
	net.addChannel("ch1", config, net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")
	leader.order("ch1", "0")
	net.waitHeight("ch1", 2, net.nodes...)

	behind := net.others(leader)[0]
	behind.stop()
	const missed = 20
	for i := 1; i <= missed; i++ {
		leader.order("ch1", fmt.Sprint(i))
	}
	running := net.others(behind)
	net.waitHeight("ch1", 2+missed, running...)
	net.eventually(func() bool { return len(leader.snapshotFiles(t, "ch1")) == maxSnapshotFiles }, "no snapshots")

	behind.start()
	net.waitHeight("ch1", 2+missed, behind)
	require.Positive(t, behind.logs.FilterMessageSnippet("Catching up with snapshot taken at block").Len())
	net.requireSameLedgers("ch1", net.nodes...)
	for number := uint64(1); number < 2+missed; number++ {
		require.True(t, proto.Equal(
			leader.supports["ch1"].raftMetadata(t, number), behind.supports["ch1"].raftMetadata(t, number),
		), "consenter metadata of block %d", number)
	}

	behind.order("ch1", "after")
	net.waitHeight("ch1", 3+missed, net.nodes...)
	for _, node := range net.nodes {
		node.stop()
	}
	net.startAll()
	net.waitLeader("ch1").order("ch1", "after a restart from snapshots")
	net.waitHeight("ch1", 4+missed, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)
}

func TestASingleNodeRestartsFromItsSnapshot(t *testing.T) {
	net := newNetwork(t, 1)
	config := net.config(net.nodes...)
	config.Options.SnapshotIntervalSize = 1
	net.addChannel("ch1", config, net.nodes)
	node := net.nodes[0]
	node.start()
	net.waitLeader("ch1")
	for i := 0; i < 5; i++ {
		node.order("ch1", fmt.Sprint(i))
		net.waitHeight("ch1", uint64(i)+2, node)
	}
	net.eventually(func() bool { return len(node.snapshotFiles(t, "ch1")) > 2 }, "no snapshots")
	node.stop()

	// The ledger loses its last block, as after a crash; the log gives it back.
	s := node.supports["ch1"]
	lost := s.Block(5)
	s.blocks = s.blocks[:5]
	node.start()
	net.waitHeight("ch1", 6, node)
	require.Equal(t, protoutil.BlockHeaderHash(lost.Header), protoutil.BlockHeaderHash(s.Block(5).Header))
	net.waitLeader("ch1")
	node.order("ch1", "after")
	net.waitHeight("ch1", 7, node)
}

func TestALogWithoutItsLedgerIsRefused(t *testing.T) {
	net := newNetwork(t, 1)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	node := net.nodes[0]
	node.start()
	net.waitLeader("ch1")
	for i := 0; i < 3; i++ {
		node.order("ch1", fmt.Sprint(i))
	}
	net.waitHeight("ch1", 4, node)
	node.stop()

	t.Run("when the ledger is another one of the same height", func(t *testing.T) {
		s := node.supports["ch1"]
		genesis := s.Block(0)
		other := newFakeSupport("ch1", s.config, genesis)
		for i := 0; i < 3; i++ {
			other.WriteBlock(protoutil.NewBlockOf(uint64(i+1), protoutil.BlockHeaderHash(other.Block(uint64(i)).Header),
				[]*protoutil.Message{normalMessage("ch1", fmt.Sprintf("other %d", i))}), nil)
		}
		node.supports["ch1"] = other
		node.start()
		require.ErrorContains(t, waitFatal(t, net, node), "does not belong to this ledger")
		require.EqualValues(t, 4, other.Height(), "nothing was written")
		node.stop()
	})
	t.Run("when its snapshots are there and the log is not", func(t *testing.T) {
		require.NoError(t, os.RemoveAll(filepath.Join(node.dir, "wal")))
		require.NoError(t, os.WriteFile(filepath.Join(node.dir, "snapshot", "ch1", "0000000000000002-0000000000000005.snap"), nil, 0o600))
		node.supports = map[string]*fakeSupport{}
		node.start()
		s := newFakeSupport("ch1", net.config(net.nodes...))
		_, err := node.consenter.HandleChain(s, s.lastMetadata(t))
		require.ErrorContains(t, err, "no write-ahead log")
	})
}

func waitFatal(t testing.TB, net *network, node *testNode) error {
	t.Helper()
	var err error
	net.eventually(func() bool {
		select {
		case err = <-node.fatal:
			return true
		default:
			return false
		}
	}, "%s does not report a fatal error", node.name)
	return err
}

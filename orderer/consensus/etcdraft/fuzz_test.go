package etcdraft

import (
	"os"
	"path/filepath"
	"testing"

	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.uber.org/zap"

	"raftmig/orderer/cluster"
	"raftmig/orderer/cluster/clustertest"
)

// startedNode is a node of three with a short log, a follower or the leader.
func startedNode(t testing.TB, leads bool) (rn *raft.RawNode, lastIndex uint64) {
	t.Helper()
	ram := raft.NewMemoryStorage()
	require.NoError(t, ram.ApplySnapshot(raftpb.Snapshot{Data: []byte("block"), Metadata: raftpb.SnapshotMetadata{
		Index: 3, Term: 1, ConfState: raftpb.ConfState{Voters: []uint64{1, 2, 3}},
	}}))
	require.NoError(t, ram.SetHardState(raftpb.HardState{Term: 2, Commit: 5}))
	require.NoError(t, ram.Append([]raftpb.Entry{{Index: 4, Term: 1}, {Index: 5, Term: 2}, {Index: 6, Term: 2}}))
	rn, err := raft.NewRawNode(&raft.Config{
		ID: 1, ElectionTick: 10, HeartbeatTick: 1, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 5, Storage: ram,
		Logger: libraryLogger{zap.NewNop().Sugar()}, PreVote: true, CheckQuorum: true, DisableProposalForwarding: true,
	})
	require.NoError(t, err)
	settle := func() {
		for rn.HasReady() {
			rd := rn.Ready()
			require.NoError(t, ram.Append(rd.Entries))
			rn.Advance(rd)
		}
	}
	settle()
	if leads {
		require.NoError(t, rn.Campaign())
		settle()
		require.NoError(t, rn.Step(raftpb.Message{Type: raftpb.MsgPreVoteResp, From: 3, To: 1, Term: 3}))
		settle()
		require.NoError(t, rn.Step(raftpb.Message{Type: raftpb.MsgVoteResp, From: 3, To: 1, Term: 3}))
		settle()
		require.Equal(t, raft.StateLeader, rn.BasicStatus().RaftState)
	}
	lastIndex, err = ram.LastIndex()
	require.NoError(t, err)
	return rn, lastIndex
}

// Whatever a consenter sends, the state machine takes it or it is refused.
func FuzzStepPayload(f *testing.F) {
	for _, m := range []raftpb.Message{
		{Type: raftpb.MsgApp, From: 2, To: 1, Term: 2, Index: 6, LogTerm: 2, Commit: 6, Entries: []raftpb.Entry{{Index: 7, Term: 2, Data: []byte("x")}}},
		{Type: raftpb.MsgApp, From: 2, To: 1, Term: 3, Index: 4, LogTerm: 1, Entries: []raftpb.Entry{{Index: 5, Term: 3}}},
		{Type: raftpb.MsgHeartbeat, From: 2, To: 1, Term: 2, Commit: 6},
		{Type: raftpb.MsgHeartbeat, From: 2, To: 1, Term: 2, Commit: 60},
		{Type: raftpb.MsgVote, From: 3, To: 1, Term: 9, Index: 60, LogTerm: 9},
		{Type: raftpb.MsgSnap, From: 2, To: 1, Term: 9, Snapshot: raftpb.Snapshot{Metadata: raftpb.SnapshotMetadata{Index: 60, Term: 9, ConfState: raftpb.ConfState{Voters: []uint64{1, 2}}}}},
		{Type: raftpb.MsgProp, From: 2, To: 1, Term: 2},
		{Type: raftpb.MsgTransferLeader, From: 2, To: 1, Term: 2},
	} {
		b, err := m.Marshal()
		require.NoError(f, err)
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, leads bool) {
		rn, lastIndex := startedNode(t, leads)
		m, err := parseMessage(payload, 2, 1)
		if err != nil || checkLog(m, lastIndex) != nil {
			return
		}
		_ = rn.Step(m) // an error is a refusal
		if rn.HasReady() {
			rn.Advance(rn.Ready())
		}
	})
}

// FuzzConsensusRequest feeds a running chain: it may refuse, it may halt, it
// may not bring the process down.
func FuzzConsensusRequest(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0x08, 0x08, 0x10, 0x01, 0x18, 0x02, 0x20, 0x02}, []byte{0x0a, 0x03, 1, 2, 3})
	f.Add([]byte{0x08, 0x08, 0x10, 0x01, 0x18, 0x02, 0x20, 0x02}, []byte{0xff})
	f.Fuzz(func(t *testing.T, payload, metadata []byte) {
		chain := loneChain(t)
		chain.lead.Store(2)
		_ = chain.consensusMessage(&ab.ConsensusRequest{Channel: "ch1", Payload: payload, Metadata: metadata}, 2) // an error is a refusal
	})
}

// loneChain is the chain of a node whose two companions never come.
func loneChain(t testing.TB) *Chain {
	t.Helper()
	ca := clustertest.NewCA(t, "ca")
	net := &network{t: t, ca: ca}
	for i := 0; i < 3; i++ {
		net.addNode()
	}
	node := net.nodes[0]
	comm := cluster.NewComm(cluster.Config{TLS: cluster.ClientTLS{Certificate: &node.pair.TLS, RootCAs: ca.Pool}})
	t.Cleanup(comm.Shutdown)
	consenter, err := New(Options{
		WALDir: filepath.Join(node.dir, "wal"), SnapDir: filepath.Join(node.dir, "snap"), ServerCert: node.pair.PEM,
		Comm: comm, NewPuller: net.newPuller(node), Fatal: func(error) {},
	})
	require.NoError(t, err)
	s := newFakeSupport("ch1", net.config(net.nodes...))
	c, err := consenter.HandleChain(s, s.lastMetadata(t))
	require.NoError(t, err)
	c.Start()
	t.Cleanup(c.Halt)
	return c.(*Chain)
}

// A log whose end is not what was written is repaired, refused or read; it is
// never a reason to panic.
func FuzzWALTail(f *testing.F) {
	dir := f.TempDir()
	cfg := storageConfig{walDir: filepath.Join(dir, "wal"), snapDir: filepath.Join(dir, "snap"), log: zap.NewNop().Sugar()}
	s, _, err := openStorage(cfg)
	require.NoError(f, err)
	for i := uint64(1); i <= 5; i++ {
		require.NoError(f, s.save(raftpb.HardState{Term: 1, Commit: i}, []raftpb.Entry{{Term: 1, Index: i, Data: []byte("entry")}}, raftpb.Snapshot{}))
	}
	require.NoError(f, s.close())
	names, err := filesWithSuffix(cfg.walDir, walSuffix)
	require.NoError(f, err)
	image, err := os.ReadFile(filepath.Join(cfg.walDir, names[0]))
	require.NoError(f, err)
	end := len(image)
	for end > 0 && image[end-1] == 0 {
		end--
	}
	f.Add(uint16(0), []byte{})
	f.Add(uint16(3), []byte{})
	f.Add(uint16(40), []byte{1, 2, 3})
	f.Add(uint16(0), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, cut uint16, tail []byte) {
		dir := t.TempDir()
		cfg := storageConfig{walDir: filepath.Join(dir, "wal"), snapDir: filepath.Join(dir, "snap"), log: zap.NewNop().Sugar()}
		require.NoError(t, os.MkdirAll(cfg.walDir, 0o755))
		content := append([]byte(nil), image...)
		at := max(0, end-int(cut))
		clear(content[at:])
		copy(content[at:], tail)
		require.NoError(t, os.WriteFile(filepath.Join(cfg.walDir, names[0]), content, 0o600))
		s, fresh, err := openStorage(cfg)
		if err != nil {
			return
		}
		defer func() { require.NoError(t, s.close()) }()
		if !fresh {
			require.NoError(t, s.save(raftpb.HardState{Term: 9, Commit: s.lastIndex()}, nil, raftpb.Snapshot{}))
		}
	})
}

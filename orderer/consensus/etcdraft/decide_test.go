package etcdraft

import (
	"errors"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"raftmig/orderer/cluster"
	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/protoutil"
)

func follower(lead, term uint64) softState {
	return softState{lead: lead, role: raft.StateFollower, term: term}
}
func leading(self, term uint64) softState {
	return softState{lead: self, role: raft.StateLeader, term: term}
}

var (
	candidate = softState{role: raft.StateCandidate, term: 5}
	nobody    = softState{role: raft.StateFollower, term: 5}
)

func TestWhatFollowsFromAChangeOfLeader(t *testing.T) {
	for _, tc := range []struct {
		name     string
		from, to softState
		size     int
		want     softChange
	}{
		{"the first leader makes the channel available", softState{}, follower(2, 1), 3,
			softChange{to: 2, leaderChanged: true, nowAvailable: true}},
		{"this node is elected", candidate, leading(1, 5), 3,
			softChange{to: 1, leaderChanged: true, becameLeader: true, nowAvailable: true}},
		{"another one takes over from this node", leading(1, 5), follower(2, 6), 3,
			softChange{from: 1, to: 2, leaderChanged: true, becameFollower: true}},
		{"this node is cut off", leading(1, 5), nobody, 3,
			softChange{from: 1, leaderChanged: true, becameFollower: true, nowUnavailable: true}},
		{"the leader is lost", follower(2, 5), candidate, 3, softChange{from: 2, leaderChanged: true, nowUnavailable: true}},
		{"the leader of two is lost, and readers may go on", follower(2, 5), candidate, 2,
			softChange{from: 2, leaderChanged: true, leaderlessInTooSmallForFailure: true}},
		{"this node leads again in a later term", leading(1, 5), leading(1, 7), 1,
			softChange{from: 1, to: 1, becameLeader: true}},
		{"nothing of note", follower(2, 5), follower(2, 6), 3, softChange{from: 2, to: 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := leadership{self: 1, maxInflight: 5, softState: tc.from}
			require.Equal(t, tc.want, l.observe(tc.to, tc.size))
		})
	}
}

func TestWhenMessagesAreTaken(t *testing.T) {
	l := leadership{self: 1, maxInflight: 2}
	require.True(t, l.accepting(), "to be refused: there is no leader")
	l.observe(follower(2, 1), 3)
	require.True(t, l.accepting(), "to be forwarded")

	l.observe(leading(1, 2), 3)
	require.False(t, l.accepting(), "earlier entries may be in the log")
	require.False(t, l.reachedTerm(1), "only those have been applied")
	require.True(t, l.reachedTerm(2))
	require.False(t, l.reachedTerm(2), "once is enough")
	require.True(t, l.accepting())

	l.proposed(false)
	require.True(t, l.accepting())
	l.proposed(false)
	require.False(t, l.accepting(), "the limit of blocks in flight is reached")
	l.committed(false)
	require.True(t, l.accepting())
	l.proposed(true)
	require.False(t, l.accepting())
	l.committed(false)
	require.False(t, l.accepting(), "a configuration is in flight")
	l.committed(true)
	require.True(t, l.accepting())

	l.transferring = true
	require.False(t, l.accepting())
	l.observe(follower(3, 3), 3)
	require.True(t, l.accepting(), "the successor is there")

	cc := raftpb.ConfChange{Type: raftpb.ConfChangeAddNode, NodeID: 4}
	l.awaitConfChange(&cc)
	require.False(t, l.accepting(), "a change of members is under way")
	require.Nil(t, l.confChangeDue(3), "a follower does not propose it")
	l.observe(leading(1, 4), 3)
	require.Nil(t, l.confChangeDue(3), "Raft would not take it yet")
	require.Equal(t, &cc, l.confChangeDue(4))
	require.Nil(t, l.confChangeDue(4), "once per term")
	l.observe(leading(1, 6), 3)
	require.Equal(t, &cc, l.confChangeDue(6))
	l.observe(leading(1, 4), 3)
	require.False(t, l.reachedTerm(4), "it has to end first")
	require.False(t, l.confChangeApplied(raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode, NodeID: 4}))
	require.True(t, l.confChangeApplied(cc))
	require.True(t, l.reachedTerm(4))
	require.True(t, l.accepting())
}

func TestAnUnfinishedChangeOfMembersIsFound(t *testing.T) {
	require.Nil(t, unfinishedConfChange([]uint64{1, 2, 3}, []uint64{3, 1, 2}))
	require.Equal(t, &raftpb.ConfChange{Type: raftpb.ConfChangeAddNode, NodeID: 5}, unfinishedConfChange([]uint64{1, 5, 3}, []uint64{1, 3}))
	require.Equal(t, &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode, NodeID: 2}, unfinishedConfChange([]uint64{1, 3}, []uint64{1, 2, 3}))
}

func TestWhatASnapshotAsksFor(t *testing.T) {
	require.Equal(t, catchUpNothing, planCatchUp(7, 7))
	require.Equal(t, catchUpNothing, planCatchUp(7, 3))
	require.Equal(t, catchUpTakeBlock, planCatchUp(7, 8))
	require.Equal(t, catchUpPull, planCatchUp(7, 9))
	require.Equal(t, blockWrite, judgeBlock(8, 7))
	require.Equal(t, blockSkip, judgeBlock(7, 7))
	require.Equal(t, blockGap, judgeBlock(9, 7))
}

func TestSuspicionGrowsWhileThereIsNoLeader(t *testing.T) {
	s := suspicion{threshold: 10 * time.Minute}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(minutes int, leaderless bool) bool {
		_, act := s.observe(start.Add(time.Duration(minutes)*time.Minute), leaderless)
		return act
	}
	require.False(t, at(0, true))
	require.False(t, at(9, true))
	require.True(t, at(10, true))
	require.False(t, at(11, true), "once per threshold")
	require.True(t, at(20, true))
	require.False(t, at(21, false), "a leader is there")
	require.False(t, at(22, true))
	require.False(t, at(31, true), "it counts anew")
	require.True(t, at(32, true))
}

func TestJudgingAnEviction(t *testing.T) {
	ca := clustertest.NewCA(t, "ca")
	me, other := ca.Issue(t, "me"), ca.Issue(t, "other")
	block := func(consenters ...*etcdraft.Consenter) *cb.Block {
		return protoutil.NewBlockOf(7, nil, messages(configMessage("ch1", &etcdraft.ConfigMetadata{Consenters: consenters}, 1)))
	}
	renewed := ca.Renew(t, "me", me.Key)
	for _, tc := range []struct {
		name  string
		block *cb.Block
		err   error
		want  verdict
	}{
		{"in it by the server certificate", block(&etcdraft.Consenter{ServerTlsCert: renewed.PEM, ClientTlsCert: other.PEM}), nil, stillConsenter},
		{"in it by the client certificate", block(&etcdraft.Consenter{ServerTlsCert: other.PEM, ClientTlsCert: me.PEM}), nil, stillConsenter},
		{"not in it", block(&etcdraft.Consenter{ServerTlsCert: other.PEM, ClientTlsCert: other.PEM}), nil, evicted},
		{"others refuse", nil, cluster.ErrForbidden, evicted},
		{"others cannot be asked", nil, errors.New("down"), stillConsenter},
		{"nonsense", protoutil.NewBlock(3, nil), nil, stillConsenter},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := judgeEviction(me.PEM, tc.block, tc.err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestActiveNodesAreToldOnceTheyAreStable(t *testing.T) {
	tr := activeTracker{self: 2}
	changed, stable := tr.check(2, raft.StateLeader, []uint64{3, 1})
	require.True(t, changed)
	require.False(t, stable)
	require.Equal(t, []uint64{1, 2, 3}, tr.active)
	for i := 0; i < stableChecks; i++ {
		_, stable = tr.check(2, raft.StateLeader, []uint64{1, 3})
		require.False(t, stable)
	}
	_, stable = tr.check(2, raft.StateLeader, []uint64{1, 3})
	require.True(t, stable)
	_, stable = tr.check(2, raft.StateLeader, []uint64{1})
	require.False(t, stable)
	require.Equal(t, []uint64{1, 2}, tr.active)
	changed, _ = tr.check(1, raft.StateFollower, nil)
	require.False(t, changed, "a follower is told by its leader")
	changed, _ = tr.check(raft.None, raft.StateCandidate, nil)
	require.True(t, changed)
	require.Empty(t, tr.active)
}

func TestGossipGoesToEachNodeOncePerChange(t *testing.T) {
	var g gossip
	require.Nil(t, g.attach(1))
	g.update([]byte("a"))
	require.Equal(t, []byte("a"), g.attach(1))
	require.Nil(t, g.attach(1))
	require.Equal(t, []byte("a"), g.attach(2))
	g.update([]byte("b"))
	require.Equal(t, []byte("b"), g.attach(1))
}

func TestASnapshotIsTakenAtABlockThatTheLedgerHas(t *testing.T) {
	p := snapshotPolicy{interval: 10}
	entry := []byte("12345")
	p.count(entry)
	p.written(4, 1, raftpb.ConfState{}, entry)
	require.Nil(t, p.take(100), "too little")
	p.count(entry)
	p.written(5, 2, raftpb.ConfState{}, entry)
	require.Nil(t, p.take(2), "block 2 is not on disk yet")
	p.count(entry)
	p.written(6, 3, raftpb.ConfState{}, entry)
	due := p.take(4)
	require.NotNil(t, due)
	require.EqualValues(t, 2, due.block, "later blocks do not put it off")
	require.EqualValues(t, 5, due.index)
	require.Nil(t, p.take(100))
	require.EqualValues(t, 5, p.accumulated, "that of block 3")
	p.count(entry) // replayed after a restart
	p.written(9, 2, raftpb.ConfState{}, entry)
	require.Nil(t, p.take(100), "there is a snapshot at that block")
	p.written(10, 4, raftpb.ConfState{}, entry)
	require.EqualValues(t, 4, p.take(100).block)
}

func TestMessagesThatNodesDoNotSendAreRefused(t *testing.T) {
	block := protoutil.MustMarshal(protoutil.NewBlock(3, nil))
	snapshot := func(change func(*raftpb.Snapshot)) raftpb.Message {
		sn := raftpb.Snapshot{Data: block, Metadata: raftpb.SnapshotMetadata{Index: 9, Term: 2, ConfState: raftpb.ConfState{Voters: []uint64{1, 2}}}}
		change(&sn)
		return raftpb.Message{Type: raftpb.MsgSnap, Snapshot: sn}
	}
	for _, tc := range []struct {
		name string
		m    raftpb.Message
		want string
	}{
		{"an append", raftpb.Message{Type: raftpb.MsgApp, Index: 4, LogTerm: 1, Entries: []raftpb.Entry{{Index: 5, Term: 2}}}, ""},
		{"a snapshot", snapshot(func(*raftpb.Snapshot) {}), ""},
		{"another sender", raftpb.Message{Type: raftpb.MsgHeartbeat, From: 3}, "in the name of node 3"},
		{"a proposal", raftpb.Message{Type: raftpb.MsgProp}, "of type MsgProp"},
		{"a call for an election", raftpb.Message{Type: raftpb.MsgHup}, "of type MsgHup"},
		{"a transfer", raftpb.Message{Type: raftpb.MsgTransferLeader}, "of type MsgTransferLeader"},
		{"entries with a gap", raftpb.Message{Type: raftpb.MsgApp, Index: 4, LogTerm: 1, Entries: []raftpb.Entry{{Index: 6, Term: 2}}}, "do not follow each other"},
		{"entries that follow nothing", raftpb.Message{Type: raftpb.MsgApp, Index: 400}, "follow nothing"},
		{"an entry of a later term", raftpb.Message{Type: raftpb.MsgApp, Entries: []raftpb.Entry{{Index: 1, Term: 9}}}, "do not follow each other"},
		{"a joint configuration", raftpb.Message{Type: raftpb.MsgApp, Entries: []raftpb.Entry{{Index: 1, Term: 1, Type: raftpb.EntryConfChangeV2}}}, "EntryConfChangeV2"},
		{"a snapshot with a learner", snapshot(func(s *raftpb.Snapshot) { s.Metadata.ConfState.Learners = []uint64{3} }), "members that no version of Fabric has"},
		{"a snapshot with a voter twice", snapshot(func(s *raftpb.Snapshot) { s.Metadata.ConfState.Voters = []uint64{1, 1} }), "invalid members"},
		{"a snapshot without a block", snapshot(func(s *raftpb.Snapshot) { s.Data = []byte{0xff} }), "without a block"},
		{"a snapshot without a term", snapshot(func(s *raftpb.Snapshot) { s.Metadata.Term = 0 }), "without index or term"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := tc.m
			m.To, m.Term = 1, 2
			if m.From == 0 {
				m.From = 2
			}
			payload, err := m.Marshal()
			require.NoError(t, err)
			_, err = parseMessage(payload, 2, 1)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
	for _, to := range []uint64{0, 4} { // Fabric's nodes would stop: the former is what an empty message decodes to
		earlier := raftpb.Message{Type: raftpb.MsgHeartbeat, From: 2, To: to, Term: 2}
		payload, err := earlier.Marshal()
		require.NoError(t, err)
		_, err = parseMessage(payload, 2, 5)
		require.ErrorContains(t, err, "which this is not")
	}
	m := raftpb.Message{Type: raftpb.MsgHeartbeat, From: 2, To: 7, Term: 2}
	payload, err := m.Marshal()
	require.NoError(t, err)
	_, err = parseMessage(payload, 2, 1)
	require.ErrorIs(t, err, errWrongRecipient)
	require.ErrorContains(t, checkLog(raftpb.Message{Type: raftpb.MsgHeartbeat, From: 2, Commit: 16}, 4), "the log was lost")
	require.NoError(t, checkLog(raftpb.Message{Type: raftpb.MsgHeartbeat, From: 2, Commit: 4}, 4))
}

func TestTheStorageLibrariesLogWarningsOnlyAndOnlyWhereTheChannelDoes(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	log := warningsOnly(zap.New(core).Sugar()).With(zap.String("k", "v"))
	log.Info("talk")
	log.Warn("worth it")
	require.Equal(t, []string{"worth it"}, []string{logs.All()[0].Message})
	require.Equal(t, 1, logs.Len())

	core, logs = observer.New(zapcore.ErrorLevel)
	warningsOnly(zap.New(core).Sugar()).Warn("not here")
	require.Zero(t, logs.Len())
}

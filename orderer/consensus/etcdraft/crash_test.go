package etcdraft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.uber.org/zap"
)

var errKilled = errors.New("killed by the test")

// killer takes an image of a node's folders at the n-th time that storage
// reaches a step, and lets nothing be written afterwards.
type killer struct {
	mu    sync.Mutex
	at    storageStep
	after int
	dir   string
	image string
	done  bool
}

func (k *killer) step(at storageStep) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.done {
		return errKilled
	}
	if at != k.at {
		return nil
	}
	if k.after > 0 {
		k.after--
		return nil
	}
	k.done = true
	if err := os.CopyFS(k.image, os.DirFS(k.dir)); err != nil {
		return err
	}
	return errKilled
}

func (k *killer) killed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.done
}

// image arms a killer for the node's next life.
func (tn *testNode) killAt(t testing.TB, at storageStep, after int) *killer {
	k := &killer{at: at, after: after, dir: tn.dir, image: filepath.Join(t.TempDir(), "image")}
	tn.options = func(o *Options) { o.atStep = k.step }
	return k
}

// restartFrom starts the node again with what was on disk when it was killed.
func (tn *testNode) restartFrom(k *killer) {
	tn.stop()
	tn.dir, tn.options = k.image, nil
	tn.start()
}

var allSteps = []storageStep{stepSnapshotRecord, stepSnapshotFile, stepSnapshotSaved, stepEntriesSaved, stepReleased}

// A follower that is killed while it takes in a snapshot starts again, whatever
// of the snapshot, the hard state and the entries had reached the disk.
func TestAFollowerKilledWhileReceivingASnapshotStartsAgain(t *testing.T) {
	for _, at := range allSteps {
		t.Run(string(at), func(t *testing.T) {
			net := newNetwork(t, 3)
			config := net.config(net.nodes...)
			config.Options.SnapshotIntervalSize = 1
			net.addChannel("ch1", config, net.nodes)
			net.startAll()
			leader := net.waitLeader("ch1")
			victim := net.others(leader)[0]
			running := net.others(victim)
			net.waitHeight("ch1", 1, victim)
			victim.stop()
			const blocks = 12
			for i := 0; i < blocks; i++ {
				leader.order("ch1", fmt.Sprint(i))
				net.waitHeight("ch1", uint64(i)+2, running...)
			}

			k := victim.killAt(t, at, 0)
			victim.start()
			net.eventually(k.killed, "never at the step")
			require.ErrorIs(t, waitFatal(t, net, victim), errKilled)
			victim.restartFrom(k)
			net.waitHeight("ch1", blocks+1, victim)
			victim.order("ch1", "after")
			net.waitHeight("ch1", blocks+2, net.nodes...)
			net.requireSameLedgers("ch1", net.nodes...)
			require.Empty(t, victim.fatal)
		})
	}
}

// A single node that is killed while it takes its own snapshot has everything
// that it acknowledged: there is nobody else to get it from.
func TestASingleNodeKilledWhileTakingASnapshotStartsAgain(t *testing.T) {
	for _, at := range allSteps {
		for after := 0; after < 3; after++ {
			t.Run(fmt.Sprintf("%s, time %d", at, after+1), func(t *testing.T) {
				net := newNetwork(t, 1)
				config := net.config(net.nodes...)
				config.Options.SnapshotIntervalSize = 1
				net.addChannel("ch1", config, net.nodes)
				node := net.nodes[0]
				k := node.killAt(t, at, after)
				node.start()
				for i := 0; !k.killed(); i++ {
					chain := node.chains["ch1"]
					if chain.WaitReady() == nil {
						_ = chain.Order(normalMessage("ch1", fmt.Sprint(i)), 0) // fails where there is no leader, or no chain any more
					}
				}
				require.ErrorIs(t, waitFatal(t, net, node), errKilled)
				before := node.supports["ch1"].headers()
				node.restartFrom(k)
				net.waitLeader("ch1")
				node.order("ch1", "after")
				net.waitHeight("ch1", uint64(len(before))+1, node)
				require.Equal(t, before, node.supports["ch1"].headers()[:len(before)])
				require.Empty(t, node.fatal)
			})
		}
	}
}

// All nodes lose their power during the very first writes of a migration.
func TestAMigrationSurvivesBeingKilledInItsFirstWrites(t *testing.T) {
	for after := 0; after < 4; after++ {
		t.Run(fmt.Sprintf("write %d", after+1), func(t *testing.T) {
			net := newNetwork(t, 3)
			config := net.config(net.nodes...)
			template := newFakeSupport("ch1", config)
			template.WriteConfigBlock(template.CreateNextBlock(messages(configMessage("ch1", config, 1))), nil)
			net.addChannel("ch1", config, net.nodes, template.Block(0), template.Block(1))
			var killers []*killer
			for _, node := range net.nodes {
				killers = append(killers, node.killAt(t, stepEntriesSaved, after))
			}
			net.startAll()
			for i, node := range net.nodes {
				net.eventually(killers[i].killed, "never at the step")
				require.ErrorIs(t, waitFatal(t, net, node), errKilled)
			}
			for i, node := range net.nodes {
				node.restartFrom(killers[i])
			}
			net.waitLeader("ch1").order("ch1", "first")
			net.waitHeight("ch1", 3, net.nodes...)
			net.requireSameLedgers("ch1", net.nodes...)
		})
	}
}

func TestALogThatWasCreatedAndNeverWrittenIsFresh(t *testing.T) {
	dir := t.TempDir()
	cfg := storageConfig{
		walDir: filepath.Join(dir, "wal", "ch1"), snapDir: filepath.Join(dir, "snap", "ch1"),
		catchUpEntries: DefaultCatchUpEntries, log: zap.NewNop().Sugar(),
	}
	s, fresh, err := openStorage(cfg)
	require.NoError(t, err)
	require.True(t, fresh)
	require.NoError(t, s.close())

	s, fresh, err = openStorage(cfg)
	require.NoError(t, err)
	require.True(t, fresh, "nothing was promised yet")
	require.NoError(t, s.save(raftpb.HardState{Term: 1, Commit: 1}, []raftpb.Entry{{Term: 1, Index: 1}}, raftpb.Snapshot{}))
	require.NoError(t, s.close())

	s, fresh, err = openStorage(cfg)
	require.NoError(t, err)
	require.False(t, fresh)
	hs, _, err := s.ram.InitialState()
	require.NoError(t, err)
	require.Equal(t, raftpb.HardState{Term: 1, Commit: 1}, hs)
	require.NoError(t, s.close())
}

// The defect to avoid: a hard state that commits beyond the log because the
// snapshot that it refers to is missing. It is refused instead of panicking.
func TestALogThatEndsBeforeWhatWasCommittedIsRefused(t *testing.T) {
	dir := t.TempDir()
	cfg := storageConfig{
		walDir: filepath.Join(dir, "wal", "ch1"), snapDir: filepath.Join(dir, "snap", "ch1"), log: zap.NewNop().Sugar(),
	}
	s, _, err := openStorage(cfg)
	require.NoError(t, err)
	require.NoError(t, s.wal.Save(raftpb.HardState{Term: 1, Commit: 20}, []raftpb.Entry{{Term: 1, Index: 1}}))
	require.NoError(t, s.close())
	_, _, err = openStorage(cfg)
	require.ErrorContains(t, err, "ends at index 1 although index 20 was committed")
}

// A received snapshot is on disk before the hard state that needs it.
func TestASnapshotIsSavedBeforeTheHardStateThatCommitsIt(t *testing.T) {
	for _, at := range []storageStep{stepSnapshotRecord, stepSnapshotFile, stepSnapshotSaved, stepEntriesSaved} {
		t.Run(string(at), func(t *testing.T) {
			dir := t.TempDir()
			k := &killer{dir: dir, at: at, image: filepath.Join(t.TempDir(), "image"), after: 1}
			if at == stepEntriesSaved {
				k.after = 2
			} else {
				k.after = 0
			}
			cfg := storageConfig{
				walDir: filepath.Join(dir, "wal"), snapDir: filepath.Join(dir, "snap"), log: zap.NewNop().Sugar(), atStep: k.step,
			}
			s, _, err := openStorage(cfg)
			require.NoError(t, err)
			for i := uint64(1); i <= 2; i++ {
				require.NoError(t, s.save(raftpb.HardState{Term: 1, Commit: i}, []raftpb.Entry{{Term: 1, Index: i}}, raftpb.Snapshot{}))
			}
			sn := raftpb.Snapshot{Data: []byte("block"), Metadata: raftpb.SnapshotMetadata{
				Index: 20, Term: 2, ConfState: raftpb.ConfState{Voters: []uint64{1, 2, 3}},
			}}
			require.ErrorIs(t, s.save(raftpb.HardState{Term: 2, Commit: 20}, nil, sn), errKilled)
			require.NoError(t, s.close())

			cfg.walDir, cfg.snapDir, cfg.atStep = filepath.Join(k.image, "wal"), filepath.Join(k.image, "snap"), nil
			s, fresh, err := openStorage(cfg)
			require.NoError(t, err)
			require.False(t, fresh)
			defer func() { require.NoError(t, s.close()) }()
			rn, err := raft.NewRawNode(&raft.Config{
				ID: 1, ElectionTick: 10, HeartbeatTick: 1, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 5,
				Storage: s.ram, Logger: libraryLogger{zap.NewNop().Sugar()},
			})
			require.NoError(t, err)
			commit := rn.BasicStatus().Commit
			if at == stepEntriesSaved {
				require.EqualValues(t, 20, commit)
			} else {
				require.EqualValues(t, 2, commit)
			}
		})
	}
}

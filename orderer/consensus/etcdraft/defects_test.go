package etcdraft

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/raft/v3/raftpb"

	"raftmig/orderer/consensus"
	"raftmig/orderer/protoutil"
)

// Defects that Fabric has or had, and that this consenter must not have
// (performance-reliability.md C3, C4). Others are in crash_test.go (the log before the
// snapshot that it refers to) and snapshot_test.go (a log without its ledger).

// strippedPuller hands out blocks without consenter metadata, as Fabric 1.4 and
// 2.2 write those that they caught up with.
type strippedPuller struct{ BlockPuller }

func (p strippedPuller) PullBlock(ctx context.Context, number uint64) (*cb.Block, error) {
	block, err := p.BlockPuller.PullBlock(ctx, number)
	if err != nil {
		return nil, err
	}
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(&cb.Metadata{
		Value: protoutil.MustMarshal(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{}}),
	}))
	return block, nil
}

// FAB-18521: a node that caught up had blocks without consenter metadata, and
// after a restart took 1, 2, 3 for the Raft IDs.
func TestANodeThatCaughtUpKnowsTheRaftIDsAfterARestart(t *testing.T) {
	for _, from := range []string{"ours", "blocks without metadata"} {
		for _, missed := range []int{1, 10} { // the block of the snapshot alone, or blocks of others too
			t.Run(fmt.Sprintf("%s, %d missed", from, missed), func(t *testing.T) {
				net := newNetwork(t, 4)
				config := net.config(net.nodes...)
				config.Options.SnapshotIntervalSize = 1
				net.addChannel("ch1", config, net.nodes)
				net.startAll()
				leader := net.waitLeader("ch1")
				net.eventually(func() bool { return len(leader.chain("ch1").activeNodes()) == 4 }, "four active nodes")
				// Without the node with ID 1 the IDs do not count from one.
				gone := net.nodes[0]
				rest := net.others(gone)
				three := net.config(rest...)
				three.Options.SnapshotIntervalSize = 1
				leader.configure("ch1", three, 1)
				net.waitHeight("ch1", 2, rest...)
				gone.stop()
				leader = net.waitLeaderOf("ch1", rest)
				leader.order("ch1", "all three")
				net.waitHeight("ch1", 3, rest...)

				behind := net.others(gone, leader)[0]
				behind.stop()
				running := net.others(gone, behind)
				leader = net.waitLeaderOf("ch1", running)
				for i := range missed {
					leader.order("ch1", fmt.Sprint(i))
					net.waitHeight("ch1", uint64(4+i), running...)
				}
				net.eventually(func() bool {
					files := leader.snapshotFiles(t, "ch1")
					return len(files) > 0 && files[len(files)-1].index >= leader.supports["ch1"].raftMetadata(t, uint64(2+missed)).RaftIndex
				}, "no snapshot")
				if from != "ours" {
					puller := net.newPuller(behind)
					behind.options = func(o *Options) {
						o.NewPuller = func(s consensus.ConsenterSupport) (BlockPuller, error) {
							p, err := puller(s)
							return strippedPuller{p}, err
						}
					}
				}
				height := uint64(3 + missed)
				behind.start()
				net.waitHeight("ch1", height, behind)
				s := behind.supports["ch1"]
				for number := uint64(3); number < height; number++ {
					bm := s.raftMetadata(t, number)
					require.Equal(t, []uint64{2, 3, 4}, bm.ConsenterIds, "block %d", number)
					require.EqualValues(t, 5, bm.NextConsenterId, "block %d", number)
				}
				id := behind.chain("ch1").id
				behind.stop()
				behind.options = nil
				behind.start()
				require.Equal(t, id, behind.chain("ch1").id)
				behind.order("ch1", "after the restart")
				net.waitHeight("ch1", height+1, rest...)
				net.requireSameLedgers("ch1", rest...)
				require.Empty(t, behind.fatal)
			})
		}
	}
}

// FAB-17875, issue 3992: a node is removed and added again, under another Raft
// ID, while it is down. It starts with the old ID, finds out, stops that chain
// once, and serves under the new one on the same folders.
func TestANodeThatWasRemovedAndAddedWhileItWasDownServesUnderItsNewID(t *testing.T) {
	for _, readded := range []string{"with the same certificate", "with another certificate"} {
		t.Run(readded, func(t *testing.T) {
			net := newNetwork(t, 4)
			net.addChannel("ch1", net.config(net.nodes...), net.nodes)
			net.startAll()
			leader := net.waitLeader("ch1")
			leader.order("ch1", "all")
			net.waitHeight("ch1", 2, net.nodes...)
			away := net.others(leader)[0]
			rest := net.others(away)
			old := away.chain("ch1").id
			away.stop()
			net.eventually(func() bool { return len(leader.chain("ch1").activeNodes()) == 3 }, "three active nodes")
			leader.configure("ch1", net.config(rest...), 1)
			net.waitHeight("ch1", 3, rest...)
			if readded == "with another certificate" {
				away.pair = net.ca.Issue(t, "another")
			}
			leader.configure("ch1", net.config(append(rest[:3:3], away)...), 2)
			net.waitHeight("ch1", 4, rest...)
			leader.order("ch1", "without")
			net.waitHeight("ch1", 5, rest...)
			require.EqualValues(t, 5, leader.supports["ch1"].raftMetadata(t, 4).ConsenterIds[3])

			away.start()
			s := away.supports["ch1"]
			if c, ok := away.chains["ch1"].(*Chain); ok { // its ledger knows the same certificate
				require.Equal(t, old, c.id)
				net.eventually(func() bool { return away.tracked.has("ch1") }, "it goes on under an ID that is gone")
			}
			for n := s.Height(); n < 5; n++ { // as whoever watches the channel does
				require.NoError(t, s.Append(leader.supports["ch1"].Block(n)))
			}
			s.mu.Lock()
			s.config, s.sequence = net.config(append(rest[:3:3], away)...), 2
			s.mu.Unlock()
			away.startChain("ch1")
			require.EqualValues(t, 5, away.chain("ch1").id)
			away.order("ch1", "back")
			net.waitHeight("ch1", 6, net.nodes...)
			net.requireSameLedgers("ch1", net.nodes...)
			require.NoError(t, away.chain("ch1").running(), "it does not stop again")
			require.Empty(t, away.fatal)

			// It has a vote: with two of the others down, it is needed.
			downs := net.others(away, leader)[:1]
			for _, d := range downs {
				d.stop()
			}
			away.order("ch1", "needed")
			net.waitHeight("ch1", 7, net.others(downs...)...)
		})
	}
}

// FAB-18528: a malformed consensus message ended all orderers. Here a consenter
// sends every kind of nonsense to the others, who go on.
func TestMalformedMessagesOfAConsenterHarmNobody(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")
	leader.order("ch1", "before")
	net.waitHeight("ch1", 2, net.nodes...)
	bad := net.others(leader)[0]
	from := bad.chain("ch1").id
	good := net.others(bad)
	term := leader.chain("ch1").leadership.term
	bad.chain("ch1").halt() // only nonsense comes from it now
	raw := func(m raftpb.Message) func(uint64) []byte {
		return func(to uint64) []byte {
			m.To, m.From = to, from
			b, err := m.Marshal()
			require.NoError(t, err)
			return b
		}
	}
	bytes := func(b []byte) func(uint64) []byte { return func(uint64) []byte { return b } }
	for _, tc := range []struct {
		name     string
		payload  func(to uint64) []byte
		metadata []byte
	}{
		{"nothing", bytes(nil), nil},
		{"noise", bytes([]byte("\xff\xfe noise")), nil},
		{"a field that does not end", bytes([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f}), nil},
		{"metadata that is noise", raw(raftpb.Message{Type: raftpb.MsgHeartbeatResp, Term: term}), []byte("\xff\xff")},
		{"a heartbeat beyond the log", raw(raftpb.Message{Type: raftpb.MsgHeartbeat, Term: term, Commit: 1 << 40}), nil},
		{"an append far away", raw(raftpb.Message{Type: raftpb.MsgApp, Term: term, Index: 1 << 50, LogTerm: 9, Commit: 1 << 50}), nil},
		{"an answer beyond the log", raw(raftpb.Message{Type: raftpb.MsgAppResp, Term: term, Index: 1 << 40}), nil},
		{"a snapshot of nothing", raw(raftpb.Message{Type: raftpb.MsgSnap, Term: term}), nil},
		{"a proposal", raw(raftpb.Message{Type: raftpb.MsgProp, Entries: []raftpb.Entry{{Data: []byte("x")}}}), nil},
		{"a local message", raw(raftpb.Message{Type: raftpb.MsgCheckQuorum}), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, node := range good {
				to := node.chain("ch1").id
				net.eventually(func() bool { // the stream may still be ending because of the one before
					return bad.comm.RPC("ch1").SendConsensus(to, [][]byte{tc.payload(to)}, tc.metadata) == nil
				}, "cannot be sent")
			}
			height := good[0].supports["ch1"].Height()
			good[0].order("ch1", tc.name)
			net.waitHeight("ch1", height+1, good...)
		})
	}
	t.Run("a transaction that is none", func(t *testing.T) {
		for _, text := range []string{"", "noise"} {
			done := make(chan error, 1)
			msg := protoutil.NewMessage(&cb.Envelope{Payload: []byte(text)})
			bad.comm.RPC("ch1").SendSubmit(leader.chain("ch1").id, msg, 0, func(err error) { done <- err })
			<-done
		}
		height := good[0].supports["ch1"].Height()
		good[0].order("ch1", "after")
		net.waitHeight("ch1", height+1, good...)
	})
	net.requireSameLedgers("ch1", good...)
	for _, node := range good {
		require.NoError(t, node.chain("ch1").running())
		require.Empty(t, node.fatal)
	}
}

// Issue 3639: a follower whose log was wiped made the library panic, `tocommit
// is out of range`. It says what happened and what to do, and nobody stops; when the
// leader is another one everything is sent anew.
func TestAFollowerThatLostItsLogSaysSoAndIsSuppliedByTheNextLeader(t *testing.T) {
	net := newNetwork(t, 3)
	net.addChannel("ch1", net.config(net.nodes...), net.nodes)
	net.startAll()
	leader := net.waitLeader("ch1")
	for i := range 4 {
		leader.order("ch1", fmt.Sprint(i))
	}
	net.waitHeight("ch1", 5, net.nodes...)
	wiped := net.others(leader)[0]
	rest := net.others(wiped)
	wiped.stop()
	require.NoError(t, os.RemoveAll(filepath.Join(wiped.dir, "wal")))
	require.NoError(t, os.RemoveAll(filepath.Join(wiped.dir, "snapshot")))
	wiped.start()
	net.eventually(func() bool { return wiped.logs.FilterMessageSnippet("the log was lost").Len() > 0 }, "the loss is not noticed")
	require.NoError(t, wiped.chain("ch1").running())
	leader.order("ch1", "the others go on")
	net.waitHeight("ch1", 6, rest...)

	leader.chain("ch1").node.transferLeadership(nil, func(uint64, error) {})
	net.eventually(func() bool {
		next := rest[0].chain("ch1").lead.Load()
		return next != 0 && next != leader.chain("ch1").id
	}, "the leadership does not move")
	net.waitHeight("ch1", 6, wiped)
	wiped.order("ch1", "through it")
	net.waitHeight("ch1", 7, net.nodes...)
	net.requireSameLedgers("ch1", net.nodes...)
	require.Empty(t, wiped.fatal)
}

// Issue 4162, FAB-18304: a full disk. The node whose disk is full ends with an error
// that says so, the others go on, and it starts again once there is room.
func TestANodeWhoseDiskIsFullSaysSoAndStartsAgainWhenThereIsRoom(t *testing.T) {
	for _, at := range []storageStep{stepSnapshotFile, stepEntriesSaved} {
		for _, who := range []string{"leader", "follower"} {
			t.Run(fmt.Sprint(at, ", ", who), func(t *testing.T) {
				net := newNetwork(t, 3)
				config := net.config(net.nodes...)
				config.Options.SnapshotIntervalSize = 1
				net.addChannel("ch1", config, net.nodes)
				disks := map[*testNode]*fullDisk{}
				for _, node := range net.nodes {
					d := &fullDisk{at: at}
					disks[node] = d
					node.options = func(o *Options) { o.atStep = d.step }
				}
				net.startAll()
				leader := net.waitLeader("ch1")
				leader.order("ch1", "0")
				net.waitHeight("ch1", 2, net.nodes...)
				victim := leader
				if who == "follower" {
					victim = net.others(leader)[0]
				}
				rest := net.others(victim)
				disks[victim].full.Store(true)
				sent := 0
				net.eventually(func() bool {
					sent++
					_ = rest[0].chain("ch1").Order(normalMessage("ch1", fmt.Sprint(sent)), 0) // nobody may lead
					return len(victim.fatal) > 0
				}, "a full disk goes unnoticed")
				err := waitFatal(t, net, victim)
				require.ErrorIs(t, err, syscall.ENOSPC)
				require.ErrorContains(t, err, "channel ch1")
				net.waitLeaderAmong("ch1", rest)
				rest[0].order("ch1", "without it")
				net.eventually(func() bool {
					return contains(rest[0].supports["ch1"], normalMessage("ch1", "without it").Bytes())
				}, "the others do not go on")
				victim.stop()
				victim.options = nil
				victim.start()
				net.eventually(func() bool {
					return contains(victim.supports["ch1"], normalMessage("ch1", "without it").Bytes())
				}, "it does not catch up")
				victim.order("ch1", "with it")
				net.eventually(func() bool {
					for _, node := range net.nodes {
						if !contains(node.supports["ch1"], normalMessage("ch1", "with it").Bytes()) {
							return false
						}
					}
					return true
				}, "it does not serve")
				net.requireSameLedgers("ch1", net.nodes...)
				require.Empty(t, victim.fatal)
			})
		}
	}
}

// fullDisk fails a step of storage while it is full.
type fullDisk struct {
	at   storageStep
	full atomic.Bool
}

func (d *fullDisk) step(at storageStep) error {
	if at == d.at && d.full.Load() {
		return fmt.Errorf("writing: %w", syscall.ENOSPC)
	}
	return nil
}

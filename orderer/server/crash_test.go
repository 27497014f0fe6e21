package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/flogging"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
)

// childVariable makes the test binary an orderer.
const childVariable = "RAFTMIG_TEST_ORDERER"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	logging, err := flogging.New(flogging.Config{Format: plainFormat})
	if err != nil {
		os.Exit(1)
	}
	conf, err := localconfig.Load("", os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := Run(context.Background(), conf, Options{Logging: logging}); err != nil {
		os.Exit(2)
	}
	os.Exit(0)
}

// startChild runs our orderer i as a process of its own, which can be killed.
func (n *network) startChild(i int) *running { return n.startChildWith(i, "") }

// startChildWith has more configuration, and variables of the environment.
func (n *network) startChildWith(i int, more string, variables ...string) *running {
	dir := n.Path(fmt.Sprintf("child%d", i))
	require.NoError(n.t, os.MkdirAll(dir, 0o755))
	require.NoError(n.t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), []byte(n.config(i, more)), 0o600))
	self, err := os.Executable()
	require.NoError(n.t, err)
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), childVariable+"=1", "FABRIC_CFG_PATH="+dir), variables...)
	return n.startProcess(i, cmd)
}

// startProcess runs an orderer process and waits until it serves.
func (n *network) startProcess(i int, cmd *exec.Cmd) *running {
	r := &running{network: n, i: i, port: n.ports[i], log: &logBuffer{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(n.t, cmd.Start())
	r.stop = func() { _ = cmd.Process.Kill() } // it may have ended
	go func() {
		defer close(r.ended)
		_ = cmd.Wait() // how it ends is the test's doing
	}()
	n.t.Cleanup(func() {
		r.stop()
		<-r.ended
		if n.t.Failed() {
			n.t.Logf("end of the log of process %s, orderer %d:\n%s", filepath.Base(cmd.Path), i, r.log.tail(25))
		}
	})
	r.awaitLog("Beginning to serve requests")
	return r
}

// sendUntilBroken sends numbered messages on one stream until it breaks, and
// returns how many were answered with SUCCESS; they are the first ones.
func (r *running) sendUntilBroken(prefix string, answered func(int)) int {
	stream, err := ab.NewAtomicBroadcastClient(r.dial()).Broadcast(context.Background())
	require.NoError(r.t, err)
	user := r.OrgUser("User1")
	go func() {
		for i := 0; ; i++ {
			if stream.Send(r.Message("ch1", user, fmt.Sprintf("%s %d", prefix, i))) != nil {
				return
			}
		}
	}()
	for count := 0; ; count++ {
		resp, err := stream.Recv()
		if err != nil || resp.Status != cb.Status_SUCCESS {
			return count
		}
		answered(count + 1)
	}
}

// contents lists the data of all messages of channel ch1, in order, and
// checks that the blocks are chained.
func contents(t testing.TB, blocks []*cb.Block) []string {
	var all []string
	for i, b := range blocks {
		if i > 0 {
			require.Equal(t, protoutil.BlockHeaderHash(blocks[i-1].Header), b.Header.PreviousHash)
		}
		require.Equal(t, protoutil.BlockDataHash(b.Data), b.Header.DataHash)
		for j := range b.Data.Data {
			env, err := protoutil.EnvelopeAt(b, j)
			require.NoError(t, err)
			p, err := protoutil.EnvelopePayload(env)
			require.NoError(t, err)
			all = append(all, string(p.Data))
		}
	}
	return all
}

// An orderer that is killed under load, several times: after each restart the
// blocks that were there are there unchanged, and on Kafka every message that
// was answered with SUCCESS is in the ledger once, in the order of sending. On
// Raft SUCCESS means that the leader has the message, not that it is in the log
// (spec 4.6); what is there is in order all the same.
func TestKilledUnderLoad(t *testing.T) {
	const enough = 600 // messages for at least one block
	for _, kind := range []string{"kafka", "raft"} {
		t.Run(kind, func(t *testing.T) {
			n := newNetwork(t)
			if kind == "raft" {
				n.raftGenesis(n.RaftMetadata(n.ports[0]))
			}
			o := n.startChild(0)
			o.accepted(n.Creation())
			admin := n.OrdererAdmin()
			o.blocks("ch1", admin, 0)
			acked := map[string]int{}
			var before []*cb.Block
			for round := range 3 {
				prefix := fmt.Sprint("round ", round)
				o.accepted(n.Message("ch1", n.OrgUser("User1"), "open "+prefix)) // serves
				acked[prefix] = o.sendUntilBroken(prefix, func(count int) {
					if count == enough*(round+1) {
						before = o.chain("ch1", admin)
						o.stop()
					}
				})
				require.GreaterOrEqual(t, acked[prefix], enough*(round+1))
				<-o.ended
				o = n.startChild(0)
				var after []*cb.Block
				require.Eventually(t, func() bool {
					after = o.chain("ch1", admin)
					return kind == "raft" || count(contents(t, after), prefix) >= acked[prefix]
				}, patience, tick)
				require.GreaterOrEqual(t, len(after), len(before))
				requireSameBlocks(t, before, after[:len(before)])
			}
			var tail []*cb.Block
			require.Eventually(t, func() bool { // what was sent but not answered may still come
				last := tail
				tail = o.chain("ch1", admin)
				return len(last) == len(tail)
			}, patience, time.Second)
			seen := map[string]int{}
			for _, text := range contents(t, tail) {
				if prefix, number, ok := cutLast(text); ok {
					require.Equal(t, fmt.Sprint(seen[prefix]), number, "each once, in order: %s", text)
					seen[prefix]++
				}
			}
			for prefix, count := range acked {
				if kind == "kafka" {
					require.GreaterOrEqual(t, seen[prefix], count, prefix)
				}
			}
			require.NotEmpty(t, seen)
		})
	}
}

// Acknowledging at commit, three orderers of which the leader is killed under load
// at whatever moment: what was answered with SUCCESS is in the ledgers of all, once.
func TestAtCommitNothingAcknowledgedIsLostWhenLeadersAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes under load for seconds")
	}
	n := newNetwork(t)
	n.acknowledgeAt = localconfig.AcknowledgeAtCommit
	n.raftGenesis(n.RaftMetadata(n.ports...))
	var nodes []*running
	for i := range 3 {
		nodes = append(nodes, n.startChild(i))
	}
	l := n.load(nodes)
	for round := range 3 {
		for j := range nodes {
			l.goesOn(j)
		}
		time.Sleep(rand.N(20 * time.Millisecond)) // somewhere between two blocks
		leader := l.leader()
		t.Logf("round %d: orderer %d is killed, %d messages are acknowledged", round, leader, l.success[leader].count())
		nodes[leader].stop()
		<-nodes[leader].ended
		l.goesOn((leader + 1) % len(nodes))
		nodes[leader] = n.startChild(leader)
	}
	l.requireNothingLost()
	want := nodes[0].chain("ch1", n.OrdererAdmin())
	for _, node := range nodes[1:] {
		requireSameBlocks(t, want, node.blocks("ch1", n.OrdererAdmin(), uint64(len(want)-1)))
	}
}

var leaderLine = regexp.MustCompile(`Raft leader changed: \d -> (\d) channel=ch1`)

// leader returns which orderer all say leads ch1.
func (l *loaded) leader() int { return l.leaderOf(l.nodes) }

// leaderOf waits until those orderers say that the same one leads ch1. Their Raft IDs
// are their numbers and one.
func (n *network) leaderOf(nodes []*running) int {
	n.t.Helper()
	leader := -1
	require.Eventually(n.t, func() bool {
		votes := map[string]int{}
		for _, node := range nodes {
			if lines := leaderLine.FindAllStringSubmatch(node.log.String(), -1); len(lines) > 0 {
				votes[lines[len(lines)-1][1]]++
			}
		}
		for id, count := range votes {
			if number, err := strconv.Atoi(id); err == nil && number > 0 && count == len(nodes) {
				leader = number - 1
				return true
			}
		}
		return false
	}, patience, tick, "the orderers do not agree on a leader")
	return leader
}

func count(texts []string, prefix string) int {
	n := 0
	for _, text := range texts {
		if p, _, ok := cutLast(text); ok && p == prefix {
			n++
		}
	}
	return n
}

// cutLast splits "round 1 17" into "round 1" and "17".
func cutLast(text string) (prefix, number string, ok bool) {
	i := strings.LastIndexByte(text, ' ')
	if i < 0 || !strings.HasPrefix(text, "round ") {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// chain returns all blocks that a channel has now.
func (r *running) chain(channel string, signer protoutil.Signer) []*cb.Block {
	r.t.Helper()
	oldest := &ab.SeekPosition{Type: &ab.SeekPosition_Oldest{Oldest: &ab.SeekOldest{}}}
	blocks, status := r.deliver(channel, signer, &ab.SeekInfo{Start: oldest, Stop: newestOnly.Stop, ErrorResponse: ab.SeekInfo_BEST_EFFORT})
	require.Equal(r.t, cb.Status_SUCCESS, status)
	return blocks
}

package server

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
	"raftmig/orderer/types"
)

// A node that stops while it onboards goes on after its next start, although
// nobody tells it to; and one that follows, likewise.
func TestARestartGoesOnWithAJoin(t *testing.T) {
	n := newNetworkWithout(t)
	first := n.startWithout(0)
	genesis := n.AppGenesis("ch1", 1, n.ports...)
	first.joins(genesis, types.ConsensusRelationConsenter, types.StatusActive, 1)
	first.ordered("before")
	last := first.changeConsensus("ch1", func(c *ab.ConsensusType) { c.Metadata = touched(t, c.Metadata) })
	first.shutdown()

	// nobody is there to onboard from
	second := n.startWithout(1)
	second.joins(last, types.ConsensusRelationFollower, types.StatusOnBoarding, 0)
	second.shutdown()
	second = n.startWithout(1)
	second.becomes("ch1", types.ConsensusRelationFollower, types.StatusOnBoarding, 0)
	first = n.startWithout(0)
	second.becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, last.Header.Number+1)
	second.shutdown()

	first.ordered("while it was away")
	height := first.info("ch1").Height
	second = n.startWithout(1)
	second.becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, height)
}

// touched is Raft metadata with another option, which changes nothing else.
func touched(t *testing.T, metadata []byte) []byte {
	md := unmarshalMetadata(t, metadata)
	md.Options.SnapshotIntervalSize++
	return protoutil.MustMarshal(md)
}

// A removal that was cut short at any point is finished by the next start, and
// the channel can be joined anew (Fabric's issues 4016 and 5198).
func TestARemovalCutShortIsFinished(t *testing.T) {
	n := newNetworkWithout(t)
	o := n.startWithout(0)
	wal, snap := filepath.Join(o.dir(), "etcdraft/wal/ch1"), filepath.Join(o.dir(), "etcdraft/snapshot/ch1")
	ledger := filepath.Join(o.dir(), "chains/ch1")
	for _, test := range []struct {
		name string
		gone []string
	}{
		{"nothing is gone yet", nil},
		{"the snapshots are gone", []string{snap}},
		{"the log is gone in part", []string{snap, wal + "/0000000000000000-0000000000000000.wal"}},
		{"snapshots and log are gone", []string{snap, wal}},
		{"the ledger is gone in part", []string{snap, wal, ledger + "/blockfile_000000"}},
		{"all is gone but the mark", []string{snap, wal, ledger}},
	} {
		genesis := n.AppGenesis("ch1", 1, n.ports...)
		o.joins(genesis, types.ConsensusRelationConsenter, types.StatusActive, 1)
		o.ordered(test.name)
		require.FileExists(t, wal+"/0000000000000000-0000000000000000.wal", "or the test removes nothing")
		o.shutdown()
		mark := filepath.Join(o.dir(), "pendingops/remove/ch1.remove")
		require.NoError(t, os.WriteFile(mark, nil, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(o.dir(), "pendingops/join/ch1.join"), protoutil.MustMarshal(genesis), 0o600))
		for _, path := range test.gone {
			require.NoError(t, os.RemoveAll(path))
		}
		o = n.startWithout(0)
		code, _ := o.call("GET", "/ch1", "", nil)
		require.Equal(t, http.StatusNotFound, code, test.name)
		for _, path := range []string{mark, snap, wal, ledger} {
			require.NoFileExists(t, path, test.name)
			require.NoDirExists(t, path, test.name)
		}
	}
	// what another engine left of a channel of that name is not continued
	require.NoError(t, os.MkdirAll(wal, 0o750))
	require.NoError(t, os.WriteFile(wal+"/0000000000000000-0000000000000000.wal", []byte("of another channel"), 0o600))
	o.joins(n.AppGenesis("ch1", 1, n.ports...), types.ConsensusRelationConsenter, types.StatusActive, 1)
	o.ordered("at last")
}

// An orderer that is killed at some moment of a join or a removal has the
// channel whole after its next start, or not at all; what was answered holds.
func TestKilledWhileJoiningAndRemoving(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process some 20 times")
	}
	n := newNetworkWithout(t)
	admin := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start := func() *running {
		o := n.startChildWith(0, "Admin: {ListenAddress: "+admin+"}\nChannelParticipation: {Enabled: true}\n", "ORDERER_GENERAL_BOOTSTRAPMETHOD=none")
		o.addresses.Admin = admin
		return o
	}
	o := start()
	has := func() bool {
		code, body := o.call("GET", "/ch1", "", nil)
		require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, code, body)
		return code == http.StatusOK
	}
	cut, delay := map[string]int{}, map[string]time.Duration{}
	for round := 0; round < 60 && (cut["POST"] < 5 || cut["DELETE"] < 5); round++ {
		method, path, want := "DELETE", "/ch1", http.StatusNoContent
		var contentType string
		var form []byte
		if !has() {
			method, path, want = "POST", "", http.StatusCreated
			contentType, form = joinForm(t, n.AppGenesis("ch1", 1, n.ports...))
		}
		kill := time.AfterFunc(delay[method], o.stop)
		code, body, err := o.try(method, path, contentType, form)
		kill.Stop()
		o.stop()
		<-o.ended
		if err == nil {
			require.Equal(t, want, code, body)
			delay[method] = 0
		} else {
			cut[method]++
			delay[method] += 3 * time.Millisecond // later and later, until it is too late
		}
		o = start()
		there := has()
		if err == nil {
			require.Equal(t, method == "POST", there, "round %d: what was answered holds", round)
		}
		if there {
			o.becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, 1)
			o.ordered(fmt.Sprint("round ", round))
		} else {
			for _, dir := range []string{"chains/ch1", "etcdraft/wal/ch1", "etcdraft/snapshot/ch1", "pendingops/join/ch1.join"} {
				if entries, err := os.ReadDir(filepath.Join(o.dir(), dir)); err == nil {
					require.LessOrEqual(t, len(entries), 1, "%s: no more than an empty ledger", dir)
				}
			}
			require.NoDirExists(t, filepath.Join(o.dir(), "etcdraft/wal/ch1"))
		}
	}
	t.Logf("cut short: %v", cut)
	require.NotZero(t, cut["POST"])
	require.NotZero(t, cut["DELETE"])
}

// A system channel is joined on empty nodes, serves after a restart, and is
// removed again, after which the application channels live without it.
func TestASystemChannelComesAndGoes(t *testing.T) {
	n := newNetworkWithout(t)
	system := n.Genesis(func(c *cb.Config) {
		n.SetRaft(c, n.RaftMetadata(n.ports[:2]...))
		fixture.SetAddresses(c, fmt.Sprint("localhost:", n.ports[0]), fmt.Sprint("localhost:", n.ports[1]))
	})
	o := []*running{n.startWithout(0), n.startWithout(1)}
	for i, r := range o {
		r.joins(system, types.ConsensusRelationConsenter, types.StatusInactive, 1)
		code, body := r.joinWith(n.AppGenesis("ch1", 2, n.ports...))
		require.Equal(t, http.StatusMethodNotAllowed, code)
		require.Equal(t, `{"error":"cannot join: system channel exists"}`, body)
		resp := r.broadcast(n.Message("syschannel", n.OrdererAdmin(), "x"))
		require.Equal(t, cb.Status_SERVICE_UNAVAILABLE, resp.Status)
		require.Equal(t, "system channel creation pending: server requires restart", resp.Info)
		r.shutdown()
		o[i] = n.startWithout(i)
		require.NoFileExists(t, filepath.Join(r.dir(), "pendingops/join/syschannel.join"))
	}
	o[0].becomes("syschannel", types.ConsensusRelationConsenter, types.StatusActive, 1)
	o[0].accepted(n.Creation())
	o[1].becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, 1)
	o[0].ordered("with a system channel", o[1])

	// a third node, by a later block: it is a consenter of the system channel only
	last := o[0].changeConsensus("syschannel", func(c *ab.ConsensusType) { c.Metadata = n.RaftMetadata(n.ports...) })
	third := n.startWithout(2)
	third.joins(last, types.ConsensusRelationConsenter, types.StatusInactive, 0)
	third.shutdown()
	third = n.startWithout(2)
	third.becomes("syschannel", types.ConsensusRelationConsenter, types.StatusActive, last.Header.Number+1)
	require.Equal(t, types.ConsensusRelationConfigTracker, third.info("ch1").ConsensusRelation)
	require.Equal(t, types.StatusInactive, third.info("ch1").Status)

	code, body := o[0].call("DELETE", "/ch1", "", nil)
	require.Equal(t, http.StatusMethodNotAllowed, code)
	require.Equal(t, `{"error":"cannot remove: system channel exists"}`, body)
	for _, r := range append(o, third) {
		r.removes("syschannel")
	}
	code, body = third.call("GET", "", "", nil)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, `{"systemChannel":null,"channels":null}`, body, "a channel that it is no consenter of goes along")
	o[1].ordered("without a system channel", o[0])
	third.joins(configBlock(o[0], "ch1"), types.ConsensusRelationFollower, types.StatusOnBoarding, 0)
	third.becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, o[0].info("ch1").Height)
	resp := o[0].broadcast(n.SignedUpdate(proto.Clone(n.CreationUpdate()).(*cb.ConfigUpdate), n.OrgUser("Admin"), n.OrgUser("Admin")))
	require.Equal(t, cb.Status_BAD_REQUEST, resp.Status)
	o[0].shutdown()
	o[0] = n.startWithout(0)
	o[0].ordered("after a restart", o[1])
}

func configBlock(r *running, channel string) *cb.Block {
	_, b := r.lastConfig(channel, r.OrdererAdmin())
	return b
}

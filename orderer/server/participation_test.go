package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
	"raftmig/orderer/types"
)

// newNetworkWithout is a network without Kafka and without a system channel.
func newNetworkWithout(t testing.TB) *network {
	// a node that is removed may not hear of it from the leader (spec 4.9)
	n := &network{Network: fixture.New(t), t: t, leaderCheckInterval: 100 * time.Millisecond}
	n.ports = freePorts(t, 3)
	return n
}

const withParticipation = "Admin: {ListenAddress: 127.0.0.1:0}\nChannelParticipation: {Enabled: true}\n"

// startWithout runs orderer i without a bootstrap file and waits until it serves.
func (n *network) startWithout(i int) *running {
	return n.await(n.launchChanged(i, withParticipation, withoutBootstrap))
}

func withoutBootstrap(c *localconfig.TopLevel) {
	c.General.BootstrapMethod = "none"
	c.Consensus.EvictionSuspicion = time.Second
}

// call uses the channel participation API: the status and the body.
func (r *running) call(method, path, contentType string, body []byte) (int, string) {
	r.t.Helper()
	code, text, err := r.try(method, path, contentType, body)
	require.NoError(r.t, err)
	return code, text
}

// try does as call on an orderer that may be gone.
func (r *running) try(method, path, contentType string, body []byte) (int, string, error) {
	req, err := http.NewRequest(method, "http://"+r.addresses.Admin+"/participation/v1/channels"+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(bytes.TrimSpace(b)), err
}

func (r *running) joinWith(block *cb.Block) (int, string) {
	r.t.Helper()
	contentType, body := joinForm(r.t, block)
	return r.call("POST", "", contentType, body)
}

func joinForm(t testing.TB, block *cb.Block) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	f, err := w.CreateFormFile("config-block", "config.block")
	require.NoError(t, err)
	_, err = f.Write(protoutil.MustMarshal(block))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.Bytes()
}

// joins requires that the node joins as said.
func (r *running) joins(block *cb.Block, relation types.ConsensusRelation, status types.Status, height uint64) {
	r.t.Helper()
	code, body := r.joinWith(block)
	require.Equal(r.t, http.StatusCreated, code, body)
	id, err := protoutil.ChannelIDOf(block)
	require.NoError(r.t, err)
	require.Equal(r.t, infoText(id, relation, status, height), body)
}

func infoText(id string, relation types.ConsensusRelation, status types.Status, height uint64) string {
	return fmt.Sprintf(`{"name":%q,"url":"/participation/v1/channels/%s","consensusRelation":%q,"status":%q,"height":%d}`, id, id, relation, status, height)
}

func (r *running) info(channel string) types.ChannelInfo {
	r.t.Helper()
	code, body := r.call("GET", "/"+channel, "", nil)
	require.Equal(r.t, http.StatusOK, code, body)
	var info types.ChannelInfo
	require.NoError(r.t, json.Unmarshal([]byte(body), &info))
	return info
}

// becomes waits until the node is that to a channel, with at least that height.
func (r *running) becomes(channel string, relation types.ConsensusRelation, status types.Status, height uint64) {
	r.t.Helper()
	var info types.ChannelInfo
	require.Eventually(r.t, func() bool {
		code, body := r.call("GET", "/"+channel, "", nil)
		return code == http.StatusOK && json.Unmarshal([]byte(body), &info) == nil && info.ConsensusRelation == relation && info.Status == status && info.Height >= height
	}, patience, tick, "orderer %d is %v", r.i, &info)
	if relation == types.ConsensusRelationConsenter { // a follower says so just before it gives way to the chain
		require.Eventually(r.t, func() bool {
			_, status := r.deliver(channel, r.OrdererAdmin(), newestOnly)
			return status == cb.Status_SUCCESS
		}, patience, tick, "orderer %d does not service %s", r.i, channel)
	}
}

func (r *running) removes(channel string) {
	r.t.Helper()
	code, body := r.call("DELETE", "/"+channel, "", nil)
	require.Equal(r.t, http.StatusNoContent, code, body)
	code, _ = r.call("GET", "/"+channel, "", nil)
	require.Equal(r.t, http.StatusNotFound, code)
	for _, path := range []string{"chains", "etcdraft/wal", "etcdraft/snapshot"} {
		require.NoDirExists(r.t, filepath.Join(r.dir(), path, channel))
	}
}

func (r *running) dir() string { return r.Path(fmt.Sprintf("o%d", r.i)) }

// consenters is the Raft metadata with these orderers as consenters.
func (n *network) consenters(indices ...int) []byte {
	all := unmarshalMetadata(n.t, n.RaftMetadata(n.ports...))
	chosen := &etcdraft.ConfigMetadata{Options: all.Options}
	for _, i := range indices {
		chosen.Consenters = append(chosen.Consenters, all.Consenters[i])
	}
	return protoutil.MustMarshal(chosen)
}

func unmarshalMetadata(t testing.TB, b []byte) *etcdraft.ConfigMetadata {
	md := &etcdraft.ConfigMetadata{}
	require.NoError(t, proto.Unmarshal(b, md))
	return md
}

// setConsenters changes the consenters of ch1 and returns the config block.
func (r *running) setConsenters(indices ...int) *cb.Block {
	r.t.Helper()
	return r.changeConsensus("ch1", func(c *ab.ConsensusType) { c.Metadata = r.consenters(indices...) })
}

// ordered sends a transaction to a node and waits until all have it.
func (r *running) ordered(text string, nodes ...*running) {
	r.t.Helper()
	r.accepted(r.Message("ch1", r.OrgUser("User1"), text))
	for _, o := range append(nodes, r) {
		require.Eventually(r.t, func() bool { return o.has(text) }, patience, tick, "orderer %d does not get %q", o.i, text)
	}
}

// has reports whether a node that services ch1 has a transaction.
func (r *running) has(text string) bool {
	r.t.Helper()
	oldest := &ab.SeekPosition{Type: &ab.SeekPosition_Oldest{Oldest: &ab.SeekOldest{}}}
	blocks, status := r.deliver("ch1", r.OrdererAdmin(), &ab.SeekInfo{Start: oldest, Stop: newestOnly.Stop})
	return status == cb.Status_SUCCESS && slices.Contains(contents(r.t.(*testing.T), blocks), text)
}

// TestALifeWithoutASystemChannel takes a channel through everything that the
// channel participation API is there for (spec 9, 4.9, appendix E).
func TestALifeWithoutASystemChannel(t *testing.T) {
	n := newNetworkWithout(t)
	o := []*running{n.startWithout(0), n.startWithout(1), n.startWithout(2)}
	code, body := o[0].call("GET", "", "", nil)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, `{"systemChannel":null,"channels":null}`, body)
	resp := o[0].broadcast(n.Creation())
	require.Equal(t, cb.Status_BAD_REQUEST, resp.Status)
	require.Equal(t, "channel creation request not allowed because the orderer system channel is not defined", resp.Info)

	genesis := n.AppGenesis("ch1", 2, n.ports...)
	for _, r := range o[:2] {
		r.joins(genesis, types.ConsensusRelationConsenter, types.StatusActive, 1)
	}
	code, body = o[0].joinWith(genesis)
	require.Equal(t, http.StatusMethodNotAllowed, code)
	require.Equal(t, `{"error":"cannot join: channel already exists"}`, body)
	o[0].ordered("first", o[1])

	// a follower
	o[2].joins(genesis, types.ConsensusRelationFollower, types.StatusOnBoarding, 0)
	o[2].becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, 2)
	o[1].ordered("second", o[0])
	o[2].becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, o[1].info("ch1").Height)
	_, status := o[2].deliver("ch1", n.OrgUser("User1"), newestOnly)
	require.Equal(t, cb.Status_NOT_FOUND, status, "followers serve nobody")
	resp = o[2].broadcast(n.Message("ch1", n.OrgUser("User1"), "x"))
	require.Equal(t, cb.Status_BAD_REQUEST, resp.Status)

	// becomes a consenter
	o[0].setConsenters(0, 1, 2)
	o[2].becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, 4)
	o[2].ordered("third", o[0], o[1])

	// a consenter that is evicted follows
	evicting := o[0].setConsenters(0, 2)
	o[1].becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, evicting.Header.Number+1)
	o[0].ordered("fourth", o[2])
	o[1].becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, evicting.Header.Number+2)
	o[0].setConsenters(0, 2, 1)
	o[1].becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, evicting.Header.Number+3)
	o[1].ordered("fifth", o[0], o[2])
	blocks := o[0].blocks("ch1", n.OrdererAdmin(), o[0].info("ch1").Height-1)
	for _, r := range o[1:] {
		requireSameBlocks(t, blocks, r.blocks("ch1", n.OrdererAdmin(), uint64(len(blocks))-1))
	}

	// away, and back as a consenter from the last config block
	o[0].setConsenters(0, 2)
	o[1].becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, 0)
	o[1].removes("ch1")
	code, body = o[1].call("DELETE", "/ch1", "", nil)
	require.Equal(t, http.StatusNotFound, code)
	require.Equal(t, `{"error":"cannot remove: channel does not exist"}`, body)
	added := o[0].setConsenters(0, 2, 1)
	o[1].joins(added, types.ConsensusRelationConsenter, types.StatusOnBoarding, 0)
	o[1].becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, added.Header.Number+1)
	o[1].ordered("sixth", o[0], o[2])

	// gone everywhere, and another channel of the same name (issue 5198)
	for _, r := range o {
		r.removes("ch1")
	}
	again := n.AppGenesis("ch1", 3, n.ports...)
	require.NotEqual(t, genesis.Header.DataHash, again.Header.DataHash)
	for _, r := range o {
		r.joins(again, types.ConsensusRelationConsenter, types.StatusActive, 1)
	}
	o[1].ordered("seventh", o[0], o[2])
	require.Equal(t, protoutil.BlockHeaderHash(again.Header), protoutil.BlockHeaderHash(o[2].blocks("ch1", n.OrdererAdmin(), 0)[0].Header))

	// a restart finds them
	o[2].shutdown()
	o[2] = n.startWithout(2)
	o[2].becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, 2)
	o[2].ordered("eighth", o[0], o[1])
}

// A consenter that removes a channel and joins it again, without having been
// taken out of the consenters, has lost its log. It serves again, and the leader
// sends it a log with the next entry.
func TestAConsenterThatComesBackWithoutItsLog(t *testing.T) {
	n := newNetworkWithout(t)
	o := []*running{n.startWithout(0), n.startWithout(1), n.startWithout(2)}
	genesis := n.AppGenesis("ch1", 3, n.ports...)
	for _, r := range o {
		r.joins(genesis, types.ConsensusRelationConsenter, types.StatusActive, 1)
	}
	o[0].ordered("first", o[1:]...)
	block := o[0].changeConsensus("ch1", func(c *ab.ConsensusType) { c.Metadata = touched(t, c.Metadata) })
	for _, i := range []int{1, 0, 2} { // one of them leads
		r := o[i]
		r.removes("ch1")
		r.joins(block, types.ConsensusRelationConsenter, types.StatusOnBoarding, 0)
		r.becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, block.Header.Number+1)
		r.ordered(fmt.Sprint("from ", i), o...)
		o[(i+1)%3].ordered(fmt.Sprint("to ", i), o...)
	}
}

// A consenter that was evicted while it was down finds out that nobody leads it,
// asks, and follows; one that was evicted and added again comes back under its
// new Raft ID, although its own ledger named it a consenter all the time (spec
// 4.9, Fabric's issue 3992).
func TestAConsenterThatWasEvictedWhileItWasDown(t *testing.T) {
	n := newNetworkWithout(t)
	o := []*running{n.startWithout(0), n.startWithout(1), n.startWithout(2)}
	genesis := n.AppGenesis("ch1", 3, n.ports...)
	for _, r := range o {
		r.joins(genesis, types.ConsensusRelationConsenter, types.StatusActive, 1)
	}
	o[0].ordered("first", o[1:]...)
	o[1].shutdown()
	o[0].setConsenters(0, 2)
	added := o[0].setConsenters(0, 2, 1)
	o[1] = n.startWithout(1)
	o[1].becomes("ch1", types.ConsensusRelationConsenter, types.StatusActive, added.Header.Number+1)
	o[1].ordered("evicted and added again", o[0], o[2])

	o[1].shutdown()
	evicting := o[0].setConsenters(0, 2)
	o[0].ordered("without it", o[2])
	o[1] = n.startWithout(1)
	o[1].becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, evicting.Header.Number+2)
	require.Contains(t, o[1].log.String(), "Detected our own eviction from the channel in block")
	o[1].shutdown()
	o[1] = n.startWithout(1)
	o[1].becomes("ch1", types.ConsensusRelationFollower, types.StatusActive, evicting.Header.Number+2)
}

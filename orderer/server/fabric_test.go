package server

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// fabricBinary returns a program of real Fabric, or skips the test.
func fabricBinary(t testing.TB, name string) string {
	dir := os.Getenv("FABRIC_BIN_DIR")
	if dir == "" {
		t.Skip("FABRIC_BIN_DIR is not set: no real Fabric programs to compare with")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("FABRIC_BIN_DIR has no %s", name)
	}
	return path
}

// startFabric runs a real orderer as orderer i of the network, on the folders
// that ours would have.
func (n *network) startFabric(i int) *running {
	binary := fabricBinary(n.t, "orderer")
	dir := n.Path(fmt.Sprintf("fabric%d", i))
	require.NoError(n.t, os.MkdirAll(dir, 0o755))
	text := n.config(i, "") + "  Topic: {ReplicationFactor: 1}\n  TLS: {Enabled: false}\nAdmin: {ListenAddress: 127.0.0.1:0}\n"
	require.NoError(n.t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), []byte(text), 0o600))
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+dir, "FABRIC_LOGGING_FORMAT="+plainFormat)
	return n.startProcess(i, cmd)
}

// variable parts of texts that two orderers cannot have in common
var (
	spaces  = regexp.MustCompile("[\u00a0 ]+")
	decoder = regexp.MustCompile(`(proto: ).*$`)
)

// normal makes an answer comparable: the text of the protobuf library differs.
func normal(r *ab.BroadcastResponse) string {
	info := spaces.ReplaceAllString(r.Info, " ")
	return fmt.Sprintf("%s %s", r.Status, decoder.ReplaceAllString(info, "$1…"))
}

// TestAnswersAreThoseOfARealOrderer sends the same requests to a real orderer
// and to ours, each on a Kafka of its own, and compares status and text.
func TestAnswersAreThoseOfARealOrderer(t *testing.T) {
	fabricBinary(t, "orderer")
	real, ours := newNetwork(t), newNetwork(t)
	theirs, own := real.startFabric(0), ours.start(0, "")
	pair := []*running{theirs, own}
	for _, r := range pair {
		r.createCh1()
	}
	n := ours
	user, org, admin := n.OrgUser("User1"), n.OrgUser("Admin"), n.OrdererAdmin()
	compare := func(name string, make func(r *running) *cb.Envelope) {
		t.Helper()
		var got [2]string
		for i, r := range pair {
			got[i] = normal(r.broadcast(make(r)))
		}
		t.Logf("%s: %s", name, got[0])
		assert.Equal(t, got[0], got[1], name)
	}
	fixed := func(e *cb.Envelope) func(*running) *cb.Envelope { return func(*running) *cb.Envelope { return e } }
	update := func(ch string, values func(*cb.Config) map[string]proto.Message, sender protoutil.Signer, signers ...protoutil.Signer) func(*running) *cb.Envelope {
		return func(r *running) *cb.Envelope {
			config, _ := r.lastConfig(ch, admin)
			return n.SignedUpdate(fixture.OrdererUpdate(ch, config, values(config)), sender, signers...)
		}
	}
	consensus := func(change func(*ab.ConsensusType)) func(*cb.Config) map[string]proto.Message {
		return func(c *cb.Config) map[string]proto.Message {
			v := fixture.ConsensusType(t, c)
			change(v)
			return map[string]proto.Message{channelconfig.ConsensusTypeKey: v}
		}
	}
	creation := func(change func(*cb.ConfigUpdate)) func(*running) *cb.Envelope {
		u := n.CreationUpdate()
		u.ChannelId = "other"
		change(u)
		return fixed(n.SignedUpdate(u, org, org))
	}
	enter := consensus(func(v *ab.ConsensusType) { v.State = ab.ConsensusType_STATE_MAINTENANCE })
	leave := consensus(func(v *ab.ConsensusType) { v.State = ab.ConsensusType_STATE_NORMAL })
	toRaft := consensus(func(v *ab.ConsensusType) { v.Type, v.Metadata = "etcdraft", n.RaftMetadata(1) })
	timeout := func(text string) func(*cb.Config) map[string]proto.Message {
		return func(*cb.Config) map[string]proto.Message {
			return map[string]proto.Message{channelconfig.BatchTimeoutKey: &ab.BatchTimeout{Timeout: text}}
		}
	}
	forged := proto.Clone(n.Message("ch1", user, "x")).(*cb.Envelope)
	forged.Signature[len(forged.Signature)-1] ^= 1

	compare("normal message", fixed(n.Message("ch1", user, "x")))
	compare("empty envelope", fixed(&cb.Envelope{}))
	compare("payload that is none", fixed(&cb.Envelope{Payload: []byte{1}}))
	compare("payload without header", fixed(&cb.Envelope{Payload: protoutil.MustMarshal(&cb.Payload{Data: []byte("x")})}))
	compare("unknown channel", fixed(n.Message("nowhere", user, "x")))
	compare("forged", fixed(forged))
	compare("too large", fixed(n.Message("ch1", user, string(make([]byte, 11<<20)))))
	for _, kind := range []cb.HeaderType{cb.HeaderType_CONFIG, cb.HeaderType_ORDERER_TRANSACTION} {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: kind, ChannelID: "ch1"}, user)
		require.NoError(t, err)
		compare(kind.String(), fixed(env))
	}
	compare("the same creation again", fixed(n.Creation()))
	compare("update by the wrong administrator", update("ch1", enter, org, org))
	compare("update without signatures", update("ch1", enter, admin))
	compare("update with a bad timeout", update("ch1", timeout("never"), admin, admin))
	compare("update without effect", func(r *running) *cb.Envelope {
		return n.SignedUpdate(&cb.ConfigUpdate{ChannelId: "ch1"}, admin, admin)
	})
	compare("creation: no write set", creation(func(u *cb.ConfigUpdate) { u.WriteSet = nil }))
	compare("creation: no application", creation(func(u *cb.ConfigUpdate) { u.WriteSet.Groups = nil }))
	compare("creation: version", creation(func(u *cb.ConfigUpdate) { u.WriteSet.Groups["Application"].Version = 2 }))
	compare("creation: no consortium", creation(func(u *cb.ConfigUpdate) { u.WriteSet.Values = nil }))
	compare("creation: unknown consortium", creation(func(u *cb.ConfigUpdate) {
		u.WriteSet.Values["Consortium"].Value = protoutil.MustMarshal(&cb.Consortium{Name: "Other"})
	}))
	compare("creation: no members", creation(func(u *cb.ConfigUpdate) { u.WriteSet.Groups["Application"].Groups = nil }))
	compare("creation: member from outside", creation(func(u *cb.ConfigUpdate) {
		u.WriteSet.Groups["Application"].Groups = map[string]*cb.ConfigGroup{"Org9": {}}
	}))
	compare("creation: bad name", creation(func(u *cb.ConfigUpdate) { u.ChannelId = "Other" }))
	compare("creation: unsigned", func(*running) *cb.Envelope {
		u := n.CreationUpdate()
		u.ChannelId = "other"
		return n.SignedUpdate(u, org)
	})

	set := func(name string, values func(*cb.Config) map[string]proto.Message) {
		t.Helper()
		var before [2]uint64
		for i, r := range pair {
			_, b := r.lastConfig("ch1", admin)
			before[i] = b.Header.Number
		}
		compare(name, update("ch1", values, admin, admin))
		for i, r := range pair {
			r.awaitConfig("ch1", before[i]+1)
		}
	}
	both := func(fs ...func(*cb.Config) map[string]proto.Message) func(*cb.Config) map[string]proto.Message {
		return func(c *cb.Config) map[string]proto.Message {
			all := map[string]proto.Message{}
			for _, f := range fs {
				for k, v := range f(c) {
					all[k] = v
				}
			}
			return all
		}
	}
	compare("type in NORMAL", update("ch1", toRaft, admin, admin))
	compare("state with timeout", update("ch1", both(enter, timeout("1s")), admin, admin))
	compare("type and state", update("ch1", consensus(func(v *ab.ConsensusType) {
		v.Type, v.State = "etcdraft", ab.ConsensusType_STATE_MAINTENANCE
	}), admin, admin))
	compare("metadata and state", update("ch1", consensus(func(v *ab.ConsensusType) {
		v.Metadata, v.State = []byte("m"), ab.ConsensusType_STATE_MAINTENANCE
	}), admin, admin))
	set("enter", enter)
	compare("normal message in maintenance", fixed(n.Message("ch1", user, "x")))
	compare("update sent by an application's administrator", update("ch1", leave, org, admin))
	compare("unknown type", update("ch1", consensus(func(v *ab.ConsensusType) { v.Type = "melville" }), admin, admin))
	compare("type and leaving", update("ch1", both(toRaft, consensus(func(v *ab.ConsensusType) {
		v.Type, v.State = "etcdraft", ab.ConsensusType_STATE_NORMAL
	})), admin, admin))
	compare("metadata that is none", update("ch1", consensus(func(v *ab.ConsensusType) { v.Type, v.Metadata = "etcdraft", []byte{1, 2, 3} }), admin, admin))
	set("type", toRaft)
	compare("leaving with timeout", update("ch1", both(leave, timeout("1s")), admin, admin))

	for _, r := range pair {
		r.changeConsensus("syschannel", func(v *ab.ConsensusType) { v.State = ab.ConsensusType_STATE_MAINTENANCE })
	}
	compare("creation in maintenance", creation(func(*cb.ConfigUpdate) {}))
}

// TestThePeerCommandWorks uses the real peer's channel commands on our orderer.
func TestThePeerCommandWorks(t *testing.T) {
	peer := fabricBinary(t, "peer")
	n := newNetwork(t)
	o := n.start(0, "")
	o.awaitLog("Start phase completed successfully")
	work := n.Path("work")
	require.NoError(t, os.MkdirAll(work, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(work, "core.yaml"), []byte("peer: {BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}}\n"), 0o600))
	orgAdmin := n.Path("crypto-config/peerOrganizations/org1.example.com/users/Admin@org1.example.com/msp")
	ordAdmin := n.Path(fixture.OrdererOrg, "users/Admin@example.com/msp")
	run := func(mspID, dir string, args ...string) (string, error) {
		args = append(args, "-o", fmt.Sprintf("localhost:%d", o.port), "--tls", "--cafile", n.Path(fixture.OrdererOrg, "tlsca/tlsca.example.com-cert.pem"))
		cmd := exec.Command(peer, args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+work, "CORE_PEER_LOCALMSPID="+mspID, "CORE_PEER_MSPCONFIGPATH="+dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	unsigned := func(name string, u *cb.ConfigUpdate) string {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
			Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: u.ChannelId, Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: protoutil.MustMarshal(u)},
		}, nil)
		require.NoError(t, err)
		path := filepath.Join(work, name)
		require.NoError(t, os.WriteFile(path, protoutil.MustMarshal(env), 0o600))
		return path
	}
	out, err := run("Org1MSP", orgAdmin, "channel", "create", "-c", "ch1", "-f", unsigned("ch1.tx", n.CreationUpdate()), "--outputBlock", "ch1.block")
	require.NoError(t, err, out)
	created, err := os.ReadFile(filepath.Join(work, "ch1.block"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(protoutil.MustMarshal(o.blocks("ch1", n.OrdererAdmin(), 0)[0]), created))

	config, before := o.lastConfig("ch1", n.OrdererAdmin())
	tx := unsigned("u.tx", fixture.OrdererUpdate("ch1", config, map[string]proto.Message{channelconfig.BatchTimeoutKey: &ab.BatchTimeout{Timeout: "123ms"}}))
	out, err = run("Org1MSP", orgAdmin, "channel", "update", "-c", "ch1", "-f", tx)
	require.Error(t, err)
	require.Contains(t, out, "got unexpected status: BAD_REQUEST -- error applying config update to existing channel 'ch1': error authorizing update: error validating DeltaSet: policy for [Value]  /Channel/Orderer/BatchTimeout not satisfied: ")
	out, err = run("OrdererMSP", ordAdmin, "channel", "update", "-c", "ch1", "-f", tx)
	require.NoError(t, err, out)
	require.Contains(t, out, "Successfully submitted channel update")
	o.awaitConfig("ch1", before.Header.Number+1)
	out, err = run("OrdererMSP", ordAdmin, "channel", "fetch", "config", "c.block", "-c", "ch1")
	require.NoError(t, err, out)
	require.Contains(t, out, fmt.Sprintf("Received block: %d", before.Header.Number+1))
	for _, position := range []string{"oldest", "newest", "0"} {
		out, err = run("OrdererMSP", ordAdmin, "channel", "fetch", position, "c.block", "-c", "ch1")
		require.NoError(t, err, out)
	}
	out, err = run("OrdererMSP", ordAdmin, "channel", "fetch", "newest", "c.block", "-c", "none")
	require.Error(t, err)
	require.Contains(t, out, "can't read the block: &{NOT_FOUND}")
}

package server

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// fabricBinary returns a program of real Fabric, or skips the test.
func fabricBinary(t testing.TB, name string) string { return fabrictest.Bin(t, name) }

// startFabric runs a real orderer as orderer i of the network, on the folders
// that ours would have.
func (n *network) startFabric(i int) *running {
	binary := fabricBinary(n.t, "orderer")
	dir := n.Path(fmt.Sprintf("fabric%d", i))
	require.NoError(n.t, os.MkdirAll(dir, 0o755))
	text := n.config(i, "") + "  Topic: {ReplicationFactor: 1}\n  TLS: {Enabled: false}\nAdmin: {ListenAddress: 127.0.0.1:0}\n"
	require.NoError(n.t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), fabrictest.OrdererYAML(n.t, []byte(text)), 0o600))
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+dir, "FABRIC_LOGGING_FORMAT="+plainFormat)
	return n.startProcess(i, cmd)
}

// newNetworkForFabric is a network whose orderers a real one may be among, with
// changes of the system channel's configuration. It skips the test without one.
func newNetworkForFabric(t testing.TB, changes ...func(*network, *cb.Config)) *network {
	fabricBinary(t, "orderer")
	n := newNetwork(t)
	if fabrictest.Version(t).Before(2, 0) {
		low := fabrictest.LowerCAs(t, n.Dir)
		require.NotEmpty(t, low)
		changes = append(changes, func(_ *network, c *cb.Config) { replaceCertificates(t, c.ChannelGroup, low) })
	}
	n.writeGenesis(func(c *cb.Config) {
		for _, change := range changes {
			change(n, c)
		}
	})
	return n
}

// replaceCertificates puts other certificates into the MSPs of a configuration.
func replaceCertificates(t testing.TB, group *cb.ConfigGroup, by map[string][]byte) {
	replace := func(cert *[]byte) {
		if other, ok := by[string(*cert)]; ok {
			*cert = other
		}
	}
	if v := group.Values[channelconfig.MSPKey]; v != nil {
		config, fabric := &mb.MSPConfig{}, &mb.FabricMSPConfig{}
		require.NoError(t, proto.Unmarshal(v.Value, config))
		require.NoError(t, proto.Unmarshal(config.Config, fabric))
		for i := range fabric.RootCerts {
			replace(&fabric.RootCerts[i])
		}
		for i := range fabric.TlsRootCerts {
			replace(&fabric.TlsRootCerts[i])
		}
		if ous := fabric.FabricNodeOus; ous != nil {
			for _, ou := range []*mb.FabricOUIdentifier{ous.ClientOuIdentifier, ous.PeerOuIdentifier, ous.AdminOuIdentifier, ous.OrdererOuIdentifier} {
				replace(&ou.Certificate)
			}
		}
		config.Config = protoutil.MustMarshal(fabric)
		v.Value = protoutil.MustMarshal(config)
	}
	for _, child := range group.Groups {
		replaceCertificates(t, child, by)
	}
}

// variable parts of texts that two orderers cannot have in common
var (
	spaces  = regexp.MustCompile("[\u00a0 ]+")
	decoder = regexp.MustCompile(`(proto: ).*$`)
)

// words are texts that older releases have in other words than 2.5, and ours.
// A status never differs.
var words = []struct {
	before   fabrictest.Release // the first release with our words
	theirs   string
	ours     string
	explains string
}{
	{fabrictest.Release{Major: 2, Minor: 3}, "unmarshaling", "unmarshalling", "spelling"},
	{fabrictest.Release{Major: 2, Minor: 3}, "CONFIG_UPDATE: unexpected EOF", "CONFIG_UPDATE: proto: …", "another protobuf library"},
	{fabrictest.Release{Major: 2, Minor: 0}, "could not succesfully apply", "could not successfully apply", "spelling"},
	{fabrictest.Release{Major: 2, Minor: 0}, "Attempted to include a member which", "Attempted to include member Org9 which", "1.4 does not name the member"},
	{fabrictest.Release{Major: 2, Minor: 0}, "bad channel ID: channel ID 'Other' contains", "bad channel ID: 'Other' contains", "1.4 says what it is twice"},
}

// inOurWords is a text of a real orderer of that release in the words of 2.5.
func inOurWords(text string, r fabrictest.Release) string {
	for _, w := range words {
		if r.Before(w.before.Major, w.before.Minor) {
			text = strings.ReplaceAll(text, w.theirs, w.ours)
		}
	}
	return text
}

// normal makes an answer comparable: the text of the protobuf library differs.
func normal(r *ab.BroadcastResponse) string {
	info := spaces.ReplaceAllString(r.Info, " ")
	return fmt.Sprintf("%s %s", r.Status, decoder.ReplaceAllString(info, "$1…"))
}

// comparison sends the same requests to a real orderer and to ours, each on a
// Kafka of its own.
type comparison struct {
	t     *testing.T
	net   *network // whose identities are used; both have the same
	pair  []*running
	user  protoutil.Signer
	org   protoutil.Signer // Org1's administrator
	admin protoutil.Signer // the orderers' administrator

	release fabrictest.Release
}

func newComparison(t *testing.T) *comparison {
	theirs, ours := newNetworkForFabric(t), newNetworkForFabric(t)
	c := compare(ours, theirs.startFabric(0), ours.start(0, ""))
	for _, r := range c.pair {
		r.createCh1()
		require.Eventually(t, func() bool { // until the channel's chain has started
			_, status := r.deliver("ch1", c.user, newestOnly)
			return status == cb.Status_SUCCESS
		}, patience, tick)
	}
	return c
}

func compare(net *network, theirs, ours *running) *comparison {
	return &comparison{
		t: net.t.(*testing.T), net: net, pair: []*running{theirs, ours},
		user: net.OrgUser("User1"), org: net.OrgUser("Admin"), admin: net.OrdererAdmin(), release: fabrictest.Version(net.t),
	}
}

// same compares status and text of the answers to a request.
func (c *comparison) same(name string, request func(r *running) *cb.Envelope) {
	c.t.Helper()
	var got [2]string
	for i, r := range c.pair {
		got[i] = normal(r.broadcast(request(r)))
	}
	c.t.Logf("%s: %s", name, got[0])
	assert.Equal(c.t, inOurWords(got[0], c.release), got[1], name)
}

func fixed(e *cb.Envelope) func(*running) *cb.Envelope {
	return func(*running) *cb.Envelope { return e }
}

// values are changes of the Orderer group of a configuration.
type values func(*cb.Config) map[string]proto.Message

func (c *comparison) consensus(change func(*ab.ConsensusType)) values {
	return func(config *cb.Config) map[string]proto.Message {
		v := fixture.ConsensusType(c.t, config)
		change(v)
		return map[string]proto.Message{channelconfig.ConsensusTypeKey: v}
	}
}

func timeout(text string) values {
	return func(*cb.Config) map[string]proto.Message {
		return map[string]proto.Message{channelconfig.BatchTimeoutKey: &ab.BatchTimeout{Timeout: text}}
	}
}

func both(a, b values) values {
	return func(config *cb.Config) map[string]proto.Message {
		all := a(config)
		maps.Copy(all, b(config))
		return all
	}
}

// update is an update of channel ch1 as each orderer has it.
func (c *comparison) update(v values, sender protoutil.Signer, signers ...protoutil.Signer) func(*running) *cb.Envelope {
	return func(r *running) *cb.Envelope {
		config, _ := r.lastConfig("ch1", c.admin)
		return c.net.SignedUpdate(fixture.OrdererUpdate("ch1", config, v(config)), sender, signers...)
	}
}

func (c *comparison) refused(name string, v values) {
	c.t.Helper()
	c.same(name, c.update(v, c.admin, c.admin))
}

// accepted compares the answers and waits for the block on both.
func (c *comparison) accepted(name string, v values) {
	c.t.Helper()
	var before []uint64
	for _, r := range c.pair {
		_, b := r.lastConfig("ch1", c.admin)
		before = append(before, b.Header.Number)
	}
	c.same(name, c.update(v, c.admin, c.admin))
	for i, r := range c.pair {
		r.awaitConfig("ch1", before[i]+1)
	}
}

// creation compares the answers to a changed request for another channel.
func (c *comparison) creation(name string, change func(*cb.ConfigUpdate), signers ...protoutil.Signer) {
	c.t.Helper()
	u := c.net.CreationUpdate()
	u.ChannelId = "other"
	change(u)
	c.same("creation: "+name, fixed(c.net.SignedUpdate(u, c.org, signers...)))
}

func TestInteropAnswersAreThoseOfARealOrderer(t *testing.T) {
	c := newComparison(t)
	c.deliveries(c.user)
	c.requests()
	c.messages()
	c.creations()
	c.maintenance()
	c.deliveries(c.admin)
	c.deliveries(c.user) // shut out
}

// deliveries compares which blocks and which status Deliver answers with.
func (c *comparison) deliveries(signer protoutil.Signer) {
	c.t.Helper()
	at := func(n uint64) *ab.SeekPosition { return specified(n) }
	oldest := &ab.SeekPosition{Type: &ab.SeekPosition_Oldest{Oldest: &ab.SeekOldest{}}}
	newest := newestOnly.Start
	for name, seek := range map[string]*ab.SeekInfo{
		"all": {Start: oldest, Stop: newest}, "newest": newestOnly, "oldest": {Start: oldest, Stop: oldest},
		"stop oldest": {Start: newest, Stop: oldest}, "beyond": {Start: at(99), Stop: at(100)}, "over the end": {Start: at(0), Stop: at(99)},
		"stop before start": {Start: at(1), Stop: at(0)}, "no start": {Stop: newest}, "no stop": {Start: newest}, "nothing": {},
		"unset start": {Start: &ab.SeekPosition{}, Stop: newest}, "unset stop": {Start: oldest, Stop: &ab.SeekPosition{}},
	} {
		seek := proto.Clone(seek).(*ab.SeekInfo)
		seek.Behavior = ab.SeekInfo_FAIL_IF_NOT_READY
		for _, channel := range []string{"ch1", "none"} {
			var got [2]string
			for i, r := range c.pair {
				blocks, status := r.deliver(channel, signer, seek)
				for _, b := range blocks {
					got[i] += fmt.Sprint(b.Header.Number, " ")
				}
				got[i] += status.String()
			}
			c.t.Logf("deliver %s of %s: %s", name, channel, got[0])
			assert.Equal(c.t, got[0], got[1], "deliver %s of %s", name, channel)
		}
	}
}

func (c *comparison) messages() {
	n := c.net
	forged := proto.Clone(n.Message("ch1", c.user, "x")).(*cb.Envelope)
	forged.Signature[len(forged.Signature)-1] ^= 1
	c.same("normal message", fixed(n.Message("ch1", c.user, "x")))
	c.same("empty envelope", fixed(&cb.Envelope{}))
	c.same("payload that is none", fixed(&cb.Envelope{Payload: []byte{1}}))
	c.same("payload without header", fixed(&cb.Envelope{Payload: protoutil.MustMarshal(&cb.Payload{Data: []byte("x")})}))
	c.same("unknown channel", fixed(n.Message("nowhere", c.user, "x")))
	c.same("forged", fixed(forged))
	c.same("too large", fixed(n.Message("ch1", c.user, string(make([]byte, 11<<20)))))
	for _, kind := range []cb.HeaderType{cb.HeaderType_CONFIG, cb.HeaderType_ORDERER_TRANSACTION} {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: kind, ChannelID: "ch1"}, c.user)
		require.NoError(c.t, err)
		c.same(kind.String(), fixed(env))
	}
	enter := c.consensus(func(v *ab.ConsensusType) { v.State = ab.ConsensusType_STATE_MAINTENANCE })
	c.same("update by the wrong administrator", c.update(enter, c.org, c.org))
	c.same("update without signatures", c.update(enter, c.admin))
	c.refused("update with a bad timeout", timeout("never"))
	c.same("update without effect", fixed(n.SignedUpdate(&cb.ConfigUpdate{ChannelId: "ch1"}, c.admin, c.admin)))
}

func (c *comparison) creations() {
	c.same("the same creation again", fixed(c.net.Creation()))
	c.creation("no write set", func(u *cb.ConfigUpdate) { u.WriteSet = nil }, c.org)
	c.creation("no application", func(u *cb.ConfigUpdate) { u.WriteSet.Groups = nil }, c.org)
	c.creation("version", func(u *cb.ConfigUpdate) { u.WriteSet.Groups["Application"].Version = 2 }, c.org)
	c.creation("no consortium", func(u *cb.ConfigUpdate) { u.WriteSet.Values = nil }, c.org)
	c.creation("unknown consortium", func(u *cb.ConfigUpdate) {
		u.WriteSet.Values["Consortium"].Value = protoutil.MustMarshal(&cb.Consortium{Name: "Other"})
	}, c.org)
	c.creation("no members", func(u *cb.ConfigUpdate) { u.WriteSet.Groups["Application"].Groups = nil }, c.org)
	c.creation("member from outside", func(u *cb.ConfigUpdate) {
		u.WriteSet.Groups["Application"].Groups = map[string]*cb.ConfigGroup{"Org9": {}}
	}, c.org)
	c.creation("bad name", func(u *cb.ConfigUpdate) { u.ChannelId = "Other" }, c.org)
	c.creation("unsigned", func(*cb.ConfigUpdate) {})
}

func (c *comparison) maintenance() {
	const normalState, maintenanceState = ab.ConsensusType_STATE_NORMAL, ab.ConsensusType_STATE_MAINTENANCE
	enter := c.consensus(func(v *ab.ConsensusType) { v.State = maintenanceState })
	leave := c.consensus(func(v *ab.ConsensusType) { v.State = normalState })
	metadata := c.net.RaftMetadata(1)
	toRaft := c.consensus(func(v *ab.ConsensusType) { v.Type, v.Metadata = "etcdraft", metadata })

	c.refused("type in NORMAL", toRaft)
	c.refused("state with timeout", both(enter, timeout("1s")))
	c.refused("type and state", c.consensus(func(v *ab.ConsensusType) { v.Type, v.State = "etcdraft", maintenanceState }))
	c.refused("metadata and state", c.consensus(func(v *ab.ConsensusType) { v.Metadata, v.State = []byte("m"), maintenanceState }))
	c.accepted("enter", enter)
	c.same("normal message in maintenance", fixed(c.net.Message("ch1", c.user, "x")))
	c.same("update sent by an application's administrator", c.update(leave, c.org, c.admin))
	c.refused("unknown type", c.consensus(func(v *ab.ConsensusType) { v.Type = "melville" }))
	c.refused("type and leaving", c.consensus(func(v *ab.ConsensusType) { v.Type, v.State, v.Metadata = "etcdraft", normalState, metadata }))
	c.refused("metadata that is none", c.consensus(func(v *ab.ConsensusType) { v.Type, v.Metadata = "etcdraft", []byte{1, 2, 3} }))
	c.accepted("type", toRaft)
	c.accepted("timeout after the type", timeout("1s"))
	c.refused("leaving with timeout", both(leave, timeout("2s")))
	for _, r := range c.pair {
		r.changeConsensus("syschannel", func(v *ab.ConsensusType) { v.State = maintenanceState })
	}
	c.creation("in maintenance", func(*cb.ConfigUpdate) {}, c.org)
}

// TestInteropThePeerCommandWorks uses the real peer's channel commands on our orderer.
func TestInteropThePeerCommandWorks(t *testing.T) {
	peer := fabricBinary(t, "peer")
	n := newNetworkForFabric(t)
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

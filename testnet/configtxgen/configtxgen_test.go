package configtxgen

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/protoutil"
	"raftmig/testnet/cryptogen"
)

// realNet unpacks the network that real Fabric's tools made and returns its folder.
func realNet(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open("testdata/net/crypto-config.tar.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data, fs.FileMode(h.Mode).Perm()))
	}
	copyFile(t, "testdata/net/configtx.yaml", filepath.Join(dir, "configtx.yaml"))
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o644))
}

func profile(t *testing.T, file, name string, env ...string) *Profile {
	t.Helper()
	f, err := Load(file, env)
	require.NoError(t, err)
	p, err := f.Profile(name)
	require.NoError(t, err)
	return p
}

// opened is an envelope with its parts taken apart, maps in a fixed order.
type opened struct {
	channelHeader   *cb.ChannelHeader
	signatureHeader *cb.SignatureHeader
	data            []byte // payload data, marshalled again in the fixed order
	signature       []byte
}

func open(t *testing.T, env *cb.Envelope) opened {
	t.Helper()
	p, err := protoutil.EnvelopePayload(env)
	require.NoError(t, err)
	o := opened{signature: env.Signature}
	o.channelHeader, err = protoutil.UnmarshalChannelHeader(p.Header.ChannelHeader)
	require.NoError(t, err)
	o.signatureHeader, err = protoutil.UnmarshalSignatureHeader(p.Header.SignatureHeader)
	require.NoError(t, err)
	switch cb.HeaderType(o.channelHeader.Type) {
	case cb.HeaderType_CONFIG:
		c := &cb.ConfigEnvelope{}
		require.NoError(t, proto.Unmarshal(p.Data, c))
		o.data = protoutil.MustMarshal(c)
	default:
		c := &cb.ConfigUpdateEnvelope{}
		require.NoError(t, proto.Unmarshal(p.Data, c))
		u, err := protoutil.UnmarshalConfigUpdate(c.ConfigUpdate)
		require.NoError(t, err)
		c.ConfigUpdate = protoutil.MustMarshal(u)
		o.data = protoutil.MustMarshal(c)
	}
	return o
}

func requireSameEnvelope(t *testing.T, want, got *cb.Envelope) {
	t.Helper()
	w, g := open(t, want), open(t, got)
	require.True(t, proto.Equal(w.channelHeader, g.channelHeader), "want %v, got %v", w.channelHeader, g.channelHeader)
	require.True(t, proto.Equal(w.signatureHeader, g.signatureHeader))
	require.Equal(t, w.signature, g.signature)
	require.Equal(t, w.data, g.data)
}

func readBlock(t *testing.T, file string) *cb.Block {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	b, err := protoutil.UnmarshalBlock(data)
	require.NoError(t, err)
	return b
}

// likeIn makes the options that reproduce the nonce and time of an envelope.
func likeIn(t *testing.T, env *cb.Envelope) Options {
	o := open(t, env)
	return Options{
		Now:  func() time.Time { return time.Unix(o.channelHeader.Timestamp.Seconds, 0) },
		Rand: bytes.NewReader(o.signatureHeader.Nonce),
		Warn: func(text string) { t.Errorf("unexpected warning: %s", text) },
	}
}

func TestTheGenesisBlockIsTheOneThatFabricMade(t *testing.T) {
	for _, version := range []string{"2.2", "2.5"} {
		t.Run(version, func(t *testing.T) {
			want := readBlock(t, "testdata/net/genesis-"+version+".block")
			wantEnv, err := protoutil.EnvelopeAt(want, 0)
			require.NoError(t, err)
			got, err := GenesisBlock(profile(t, filepath.Join(realNet(t), "configtx.yaml"), "Genesis"), "syschannel", likeIn(t, wantEnv))
			require.NoError(t, err)
			gotEnv, err := protoutil.EnvelopeAt(got, 0)
			require.NoError(t, err)
			requireSameEnvelope(t, wantEnv, gotEnv)
			require.True(t, proto.Equal(want.Metadata, got.Metadata))
			require.Equal(t, want.Header.Number, got.Header.Number)
			require.Equal(t, protoutil.BlockDataHash(got.Data), got.Header.DataHash)
			require.Empty(t, got.Header.PreviousHash)
		})
	}
}

func TestTheCreateTransactionIsTheOneThatFabricMade(t *testing.T) {
	data, err := os.ReadFile("testdata/net/ch1.tx")
	require.NoError(t, err)
	want, err := protoutil.UnmarshalEnvelope(data)
	require.NoError(t, err)
	got, err := CreateChannelTx(profile(t, filepath.Join(realNet(t), "configtx.yaml"), "Chan"), nil, "ch1", likeIn(t, want))
	require.NoError(t, err)
	requireSameEnvelope(t, want, got)
}

func seedNet(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c, err := cryptogen.Load("../cryptogen/testdata/seed-crypto-config.yaml")
	require.NoError(t, err)
	require.NoError(t, cryptogen.Generate(c, filepath.Join(dir, "crypto-config"), cryptogen.Options{}))
	copyFile(t, "testdata/seed-configtx.yaml", filepath.Join(dir, "configtx.yaml"))
	return dir
}

func TestAFileOfFabric10GetsThe14DefaultsWithWarnings(t *testing.T) {
	file := filepath.Join(seedNet(t), "configtx.yaml")
	var warnings []string
	block, err := GenesisBlock(profile(t, file, "ThreeOrgsOrdererGenesis"), "syschannel", Options{Warn: func(s string) { warnings = append(warnings, s) }})
	require.NoError(t, err)
	text := strings.Join(warnings, "\n")
	for _, want := range []string{
		"/Channel: no policy given, taking the default of Fabric 1.4: Admins = MAJORITY Admins; Readers = ANY Readers; Writers = ANY Writers",
		"/Channel: no capabilities given, taking the default of Fabric 1.4: V1_4_3",
		"/Channel/Orderer: no capabilities given, taking the default of Fabric 1.4: V1_4_2",
		"BlockValidation = ANY Writers",
		"/Channel/Orderer/OrdererOrg: no policy given, taking the default of Fabric 1.4: Admins = OR('OrdererMSP.admin')",
		"/Channel/Consortiums/Consortium2/Org2MSP: no policy given",
	} {
		require.Contains(t, text, want)
	}
	env, err := protoutil.EnvelopeAt(block, 0)
	require.NoError(t, err)
	conf, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	ord := conf.Config.ChannelGroup.Groups["Orderer"]
	size := &ab.BatchSize{}
	require.NoError(t, proto.Unmarshal(ord.Values["BatchSize"].Value, size))
	require.Equal(t, uint32(10), size.MaxMessageCount)
	require.Equal(t, uint32(99<<20), size.AbsoluteMaxBytes)
	require.Equal(t, uint32(512<<10), size.PreferredMaxBytes)
	require.Len(t, conf.Config.ChannelGroup.Groups["Consortiums"].Groups, 3)

	warnings = nil
	tx, err := CreateChannelTx(profile(t, file, "Orgs1Channel"), nil, "channel1", Options{Warn: func(s string) { warnings = append(warnings, s) }})
	require.NoError(t, err)
	require.Len(t, warnings, 2, "policies and capabilities of /Channel/Application only")
	e, err := protoutil.EnvelopeToConfigUpdate(tx)
	require.NoError(t, err)
	u, err := protoutil.UnmarshalConfigUpdate(e.ConfigUpdate)
	require.NoError(t, err)
	app := u.WriteSet.Groups["Application"]
	require.Equal(t, uint64(1), app.Version)
	require.Len(t, app.Policies, 3)
	require.Contains(t, app.Groups, "Org1MSP")

	anchor, err := AnchorPeersUpdate(profile(t, file, "Orgs1Channel"), "channel1", "Org1MSP", Options{})
	require.NoError(t, err)
	e, err = protoutil.EnvelopeToConfigUpdate(anchor)
	require.NoError(t, err)
	u, err = protoutil.UnmarshalConfigUpdate(e.ConfigUpdate)
	require.NoError(t, err)
	require.Contains(t, u.WriteSet.Groups["Application"].Groups["Org1MSP"].Values, "AnchorPeers")
}

func TestRaftConsentersAreReadFromFilesBesideTheConfiguration(t *testing.T) {
	dir := realNet(t)
	tls := "crypto-config/ordererOrganizations/example.com/orderers/orderer0.example.com/tls/server.crt"
	p := profile(t, filepath.Join(dir, "configtx.yaml"), "Genesis")
	p.Orderer.OrdererType = "etcdraft"
	p.Orderer.EtcdRaft = &EtcdRaft{
		Consenters: []*Consenter{{Host: "localhost", Port: 7050, ClientTLSCert: filepath.Join(dir, tls), ServerTLSCert: filepath.Join(dir, tls)}},
		Options:    RaftOptions{TickInterval: "100ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 1 << 20},
	}
	block, err := GenesisBlock(p, "sys", Options{})
	require.NoError(t, err)
	env, err := protoutil.EnvelopeAt(block, 0)
	require.NoError(t, err)
	conf, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	ct := &ab.ConsensusType{}
	require.NoError(t, proto.Unmarshal(conf.Config.ChannelGroup.Groups["Orderer"].Values["ConsensusType"].Value, ct))
	require.Equal(t, "etcdraft", ct.Type)
	require.NotContains(t, conf.Config.ChannelGroup.Groups["Orderer"].Values, "KafkaBrokers")
	m := &etcdraft.ConfigMetadata{}
	require.NoError(t, proto.Unmarshal(ct.Metadata, m))
	pem, err := os.ReadFile(filepath.Join(dir, tls))
	require.NoError(t, err)
	require.Equal(t, pem, m.Consenters[0].ServerTlsCert)
}

func TestTheTypeSoloNeedsNeitherBrokersNorMetadata(t *testing.T) {
	file := filepath.Join(realNet(t), "configtx.yaml")
	block, err := GenesisBlock(profile(t, file, "Genesis", "CONFIGTX_PROFILES_GENESIS_ORDERER_ORDERERTYPE=solo"), "sys", Options{})
	require.NoError(t, err)
	env, err := protoutil.EnvelopeAt(block, 0)
	require.NoError(t, err)
	conf, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	values := conf.Config.ChannelGroup.Groups["Orderer"].Values
	require.NotContains(t, values, "KafkaBrokers")
	require.Equal(t, protoutil.MustMarshal(&ab.ConsensusType{Type: "solo"}), values["ConsensusType"].Value)
}

func TestEnvironmentOverridesKeysOfTheFile(t *testing.T) {
	file := filepath.Join(realNet(t), "configtx.yaml")
	p := profile(t, file, "Genesis", "CONFIGTX_PROFILES_GENESIS_ORDERER_BATCHTIMEOUT=3s", "CONFIGTX_PROFILES_GENESIS_ORDERER_KAFKA_BROKERS=[a:1, b:2]", "CONFIGTX_ORDERER_BATCHTIMEOUT=9s", "OTHER=1")
	require.Equal(t, 3*time.Second, p.Orderer.BatchTimeout)
	require.Equal(t, []string{"a:1", "b:2"}, p.Orderer.Kafka.Brokers)
}

func TestBadConfigurationsAreRefusedWithTheirLine(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no such profile":        {"Profiles: {Q: {}}", "Could not find profile: P; it has [Q]"},
		"unknown key":            {"Profiles:\n  P:\n    Ordrer: {}\n", `configtx.yaml:3: Profiles.P: unknown key "Ordrer"`},
		"unknown orderer type":   {"Profiles:\n  P:\n    Orderer:\n      OrdererType: pbft\n", "configtx.yaml:4: unknown orderer type: pbft"},
		"sizes contradict":       {"Profiles:\n  P:\n    Orderer:\n      BatchSize:\n        AbsoluteMaxBytes: 1 MB\n        PreferredMaxBytes: 2 MB\n", "configtx.yaml:6: PreferredMaxBytes (2097152) is greater than AbsoluteMaxBytes (1048576)"},
		"not a size":             {"Profiles: {P: {Orderer: {BatchSize: {AbsoluteMaxBytes: 1 TB}}}}", `"1 TB" is not a size`},
		"size too big":           {"Profiles: {P: {Orderer: {BatchSize: {AbsoluteMaxBytes: 4 GB}}}}", "above the largest size"},
		"broker without port":    {"Profiles: {P: {Orderer: {OrdererType: kafka, Kafka: {Brokers: [kafka0]}}}}", `Kafka broker "kafka0" is not host:port`},
		"address without port":   {"Profiles: {P: {Orderer: {Addresses: [o0]}}}", `orderer address "o0" is not host:port`},
		"no consenter":           {"Profiles: {P: {Orderer: {OrdererType: etcdraft}}}", "did not specify any consenter"},
		"consenter without port": {"Profiles: {P: {Orderer: {OrdererType: etcdraft, EtcdRaft: {Consenters: [{Host: a}]}}}}", "did not specify port"},
		"election tick":          {"Profiles: {P: {Orderer: {OrdererType: etcdraft, EtcdRaft: {Consenters: [{Host: a, Port: 1, ClientTLSCert: c, ServerTLSCert: s}], Options: {ElectionTick: 1}}}}}", "election tick must be greater"},
		"tick interval":          {"Profiles: {P: {Orderer: {OrdererType: etcdraft, EtcdRaft: {Consenters: [{Host: a, Port: 1, ClientTLSCert: c, ServerTLSCert: s}], Options: {TickInterval: often}}}}}", "must be in time duration format"},
		"organization twice":     {"Profiles: {P: {Application: {Organizations: [{Name: A, ID: A, MSPDir: m}, {Name: A, ID: B, MSPDir: m}]}}}", `organization "A" is listed twice`},
		"organization lacks ID":  {"Profiles: {P: {Application: {Organizations: [{Name: A, MSPDir: m}]}}}", `organization "A" has no ID`},
		"MSP type":               {"Profiles: {P: {Application: {Organizations: [{Name: A, ID: A, MSPDir: m, MSPType: idemix}]}}}", `MSPs of type "idemix" are not supported`},
		"negative timeout":       {"Profiles: {P: {Orderer: {BatchTimeout: -1s}}}", "BatchTimeout -1s is negative"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse("configtx.yaml", []byte(tc.text), nil)
			if err == nil {
				_, err = f.Profile("P")
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestOutputsAreRefusedWhereTheProfileDoesNotSuit(t *testing.T) {
	dir := realNet(t)
	file := filepath.Join(dir, "configtx.yaml")
	genesis, channel := profile(t, file, "Genesis"), profile(t, file, "Chan")
	_, err := GenesisBlock(channel, "ch", Options{})
	require.ErrorContains(t, err, "missing orderer section")
	_, err = CreateChannelTx(genesis, nil, "ch", Options{})
	require.ErrorContains(t, err, "no Application section")
	_, err = AnchorPeersUpdate(channel, "ch", "Org1MSP", Options{})
	require.ErrorContains(t, err, "does not have any anchor peers defined")
	_, err = AnchorPeersUpdate(channel, "ch", "Nobody", Options{})
	require.ErrorContains(t, err, "does not exist in config")
	_, err = AnchorPeersUpdate(channel, "ch", "", Options{})
	require.ErrorContains(t, err, "must specify an organization")
	for _, id := range []string{"", "Upper", "1st", "under_score", strings.Repeat("a", 250)} {
		_, err = GenesisBlock(genesis, id, Options{})
		require.ErrorContains(t, err, "bad channel ID", id)
	}
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "crypto-config/ordererOrganizations/example.com/msp/cacerts")))
	_, err = GenesisBlock(genesis, "ch", Options{})
	require.ErrorContains(t, err, "loading the MSP of organization OrdererOrg")
}

func TestABaseProfileLetsTheRequestChangeMoreThanTheApplication(t *testing.T) {
	file := filepath.Join(realNet(t), "configtx.yaml")
	base, channel := profile(t, file, "Genesis"), profile(t, file, "Chan")
	channel.Orderer = profile(t, file, "Genesis").Orderer
	channel.Orderer.BatchTimeout = 7 * time.Second
	tx, err := CreateChannelTx(channel, base, "ch1", Options{})
	require.NoError(t, err)
	e, err := protoutil.EnvelopeToConfigUpdate(tx)
	require.NoError(t, err)
	u, err := protoutil.UnmarshalConfigUpdate(e.ConfigUpdate)
	require.NoError(t, err)
	require.Equal(t, uint64(1), u.WriteSet.Groups["Orderer"].Values["BatchTimeout"].Version)
}

func TestInspectionShowsWhatIsInside(t *testing.T) {
	var out bytes.Buffer
	data, err := os.ReadFile("testdata/net/genesis-2.5.block")
	require.NoError(t, err)
	require.NoError(t, InspectBlock(&out, data))
	var block map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &block))
	require.Contains(t, out.String(), `"type": "kafka"`)
	out.Reset()
	data, err = os.ReadFile("testdata/net/ch1.tx")
	require.NoError(t, err)
	require.NoError(t, InspectTx(&out, data))
	require.Contains(t, out.String(), `"channel_id": "ch1"`)
	require.Error(t, InspectBlock(io.Discard, []byte("no block")))
	require.Error(t, InspectTx(io.Discard, []byte("no envelope")))
}

func TestFindLooksInTheFoldersInOrder(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	_, err := Find(a, b)
	require.ErrorContains(t, err, "there is no configtx.yaml in")
	require.NoError(t, os.WriteFile(filepath.Join(b, "configtx.yaml"), nil, 0o644))
	got, err := Find(a, b)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(b, "configtx.yaml"), got)
	require.Equal(t, []string{"x", ".", "/etc/hyperledger/fabric"}, DefaultPaths("x"))
}

func TestSizesAreReadAsFabricReadsThem(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "17": 17, "1k": 1 << 10, "1 KB": 1 << 10, "512kb": 512 << 10, "10 MB": 10 << 20, "3g": 3 << 30, "4294967295": 4294967295,
	} {
		var s Size
		require.NoError(t, s.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, s, text)
	}
	for _, text := range []string{"", "MB", "-1", "1.5 MB", "4 GB", "4294967296", "1 TB", "1 M B"} {
		var s Size
		require.Error(t, s.UnmarshalText([]byte(text)), text)
	}
}

func TestTheOrderOfSectionsDoesNotMatter(t *testing.T) {
	data, err := os.ReadFile("testdata/seed-configtx.yaml")
	require.NoError(t, err)
	want, err := Parse("configtx.yaml", data, nil)
	require.NoError(t, err)
	sections := regexp.MustCompile(`(?m)^[A-Z]`).Split(string(data), -1)[1:]
	heads := regexp.MustCompile(`(?m)^[A-Z]`).FindAllString(string(data), -1)
	for i := range sections {
		sections[i] = heads[i] + sections[i]
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.Permutation(sections).Draw(t, "sections"), "\n")
		got, err := Parse("configtx.yaml", []byte(text), nil)
		require.NoError(t, err, text)
		require.Equal(t, want.Config, got.Config)
	})
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/seed-configtx.yaml", "testdata/net/configtx.yaml"} {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("configtx.yaml", data, nil)
		if err != nil {
			return
		}
		for _, n := range c.ProfileNames() {
			_, _ = c.Profile(n)
		}
	})
}

// Vector of spec A.2: the metadata slots of configtxgen's block 0.
func TestMetadataOfTheGenesisBlock(t *testing.T) {
	block, err := GenesisBlock(profile(t, filepath.Join(realNet(t), "configtx.yaml"), "Genesis"), "sys", Options{})
	require.NoError(t, err)
	var slots []string
	for _, slot := range block.Metadata.Metadata {
		slots = append(slots, hex.EncodeToString(slot))
	}
	require.Equal(t, []string{"0a020a00", "", "", "", ""}, slots)
}

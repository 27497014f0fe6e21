package testnet

import (
	"bytes"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
)

func genesisOf(t *testing.T, n *Network) *cb.ConfigGroup {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.Dir, genesisFile))
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(data)
	require.NoError(t, err)
	env, err := protoutil.EnvelopeAt(block, 0)
	require.NoError(t, err)
	conf, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	return conf.Config.ChannelGroup
}

func TestInitMakesACompleteNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	n, err := Init(dir, Spec{})
	require.NoError(t, err)
	require.Equal(t, "demo", n.Manifest.Name)
	require.Equal(t, []string{"orderer0", "orderer1", "orderer2"}, n.OrdererNames())
	require.Empty(t, n.Manifest.Notes)

	// What the runbook reads.
	inv, err := inventory.Load(filepath.Join(dir, inventoryFile))
	require.NoError(t, err)
	require.Equal(t, []string{"ch1", "ch2"}, inv.Channels)
	require.Len(t, inv.Orderers, 3)
	require.Len(t, inv.Brokers, 1)
	require.Len(t, inv.Brokers[0].Addresses, 4)
	require.Equal(t, 100*time.Millisecond, inv.Raft.TickInterval)
	require.Equal(t, "OrdererMSP", inv.Admin.MSPID)
	require.Equal(t, "Org1MSP", inv.Clients["*"].MSPID)

	// What the nodes read.
	seen := map[uint16]bool{}
	for _, o := range n.Manifest.Orderers {
		conf, err := localconfig.Load(filepath.Join(dir, "orderers", o.Name), nil)
		require.NoError(t, err)
		require.False(t, seen[conf.General.ListenPort])
		seen[conf.General.ListenPort] = true
		require.True(t, conf.General.TLS.Enabled)
		require.FileExists(t, conf.General.TLS.Certificate)
		require.FileExists(t, conf.General.TLS.PrivateKey)
		require.FileExists(t, conf.General.BootstrapFile)
		require.DirExists(t, conf.General.LocalMSPDir)
		require.Equal(t, "OrdererMSP", conf.General.LocalMSPID)
		require.Equal(t, localconfig.Version("1.0.0"), conf.Kafka.Version)
		require.Equal(t, int16(3), conf.Kafka.Topic.ReplicationFactor)
		for _, note := range conf.Notes() {
			require.False(t, note.Warning, note.Text)
		}
	}

	group := genesisOf(t, n)
	ct := &ab.ConsensusType{}
	require.NoError(t, proto.Unmarshal(group.Groups["Orderer"].Values["ConsensusType"].Value, ct))
	require.Equal(t, "kafka", ct.Type)
	brokers := &ab.KafkaBrokers{}
	require.NoError(t, proto.Unmarshal(group.Groups["Orderer"].Values["KafkaBrokers"].Value, brokers))
	require.Equal(t, inv.Brokers[0].Addresses, brokers.Brokers)
	for _, c := range n.Manifest.Channels {
		require.FileExists(t, filepath.Join(dir, c.CreateTx))
		_, err := n.creation(c)
		require.NoError(t, err)
	}
	requireNoLooseKeys(t, dir)
}

// requireNoLooseKeys fails for private keys that others could read.
func requireNoLooseKeys(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		if block, _ := pem.Decode(data); block != nil && strings.Contains(block.Type, "PRIVATE KEY") {
			info, err := d.Info()
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		}
		return nil
	}))
}

func TestInitFollowsTheShapeThatIsAskedFor(t *testing.T) {
	n, err := Init(filepath.Join(t.TempDir(), "big"), Spec{
		Orderers: 5, OrdererOrgs: 2, AppOrgs: 3, Brokers: 2, Channels: []string{"a", "b", "c"}, Capability: "V1_4_2", BatchTimeout: time.Second,
	})
	require.NoError(t, err)
	require.Len(t, n.Manifest.Orderers, 5)
	require.Equal(t, "Orderer2MSP", n.Manifest.Orderers[1].MSPID)
	require.Len(t, n.Manifest.Channels, 3)
	notes := strings.Join(n.Manifest.Notes, "\n")
	require.Contains(t, notes, "2 brokers")
	require.Contains(t, notes, "signatures of 2 of its 2 organizations (policy MAJORITY Admins)")
	var signers []string
	for _, a := range n.Inventory.Administrators() {
		signers = append(signers, a.MSPID)
	}
	require.Equal(t, []string{"Orderer1MSP", "Orderer2MSP"}, signers)
	group := genesisOf(t, n)
	require.Len(t, group.Groups["Orderer"].Groups, 2)
	rule := &cb.ImplicitMetaPolicy{}
	require.NoError(t, proto.Unmarshal(group.Groups["Orderer"].Policies["Admins"].Policy.Value, rule))
	require.Equal(t, cb.ImplicitMetaPolicy_MAJORITY, rule.Rule)
	require.Len(t, group.Groups["Consortiums"].Groups["SampleConsortium"].Groups, 3)
	caps := &cb.Capabilities{}
	require.NoError(t, proto.Unmarshal(group.Values["Capabilities"].Value, caps))
	require.Contains(t, caps.Capabilities, "V1_4_2")
	admins, err := filepath.Glob(filepath.Join(n.Dir, "crypto-config/ordererOrganizations/*/msp/admincerts/*.pem"))
	require.NoError(t, err)
	require.Len(t, admins, 2, "V1_4_2 knows admins by their certificates")
	conf, err := localconfig.Load(filepath.Join(n.Dir, "orderers", "orderer0"), nil)
	require.NoError(t, err)
	require.Equal(t, int16(2), conf.Kafka.Topic.ReplicationFactor)
}

func TestInitTakesTheFilesOfTheUser(t *testing.T) {
	n, err := Init(filepath.Join(t.TempDir(), "seed"), Spec{
		CryptoConfig: "cryptogen/testdata/seed-crypto-config.yaml", Configtx: "configtxgen/testdata/seed-configtx.yaml",
		Channels: []string{"channel1", "channel2", "channel3"},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"orderer0", "orderer1", "orderer2"}, n.OrdererNames())
	for i, want := range []string{"Org1MSP", "Org2MSP", "Org3MSP"} {
		require.Equal(t, want, n.Manifest.Channels[i].Creator.MSPID)
	}
	notes := strings.Join(n.Manifest.Notes, "\n")
	for _, want := range []string{
		"TLS certificates of the orderers also carry localhost",
		"Orderer.Addresses of configtx.yaml replaced",
		"Orderer.Kafka.Brokers of configtx.yaml replaced",
		"/Channel: no capabilities given, taking the default of Fabric 1.4: V1_4_3",
		"BlockValidation = ANY Writers",
	} {
		require.Contains(t, notes, want)
	}
	size := &ab.BatchSize{}
	require.NoError(t, proto.Unmarshal(genesisOf(t, n).Groups["Orderer"].Values["BatchSize"].Value, size))
	require.Equal(t, uint32(10), size.MaxMessageCount, "the rest of the user's configuration stands")
	require.NotEqual(t, n.Inventory.Clients["*"], n.Inventory.Clients["channel2"])
}

func TestInitRefusesBadInputAndChangesNothing(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "file.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		return file
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	used := l.Addr().(*net.TCPAddr).Port
	seedCrypto := "cryptogen/testdata/seed-crypto-config.yaml"
	for name, tc := range map[string]struct {
		spec Spec
		want string
	}{
		"too many orderers":          {Spec{Orderers: 10}, "10 orderers: 1 to 9 are possible"},
		"negative orderers":          {Spec{Orderers: -1}, "-1 orderers"},
		"more orgs than orderers":    {Spec{Orderers: 2, OrdererOrgs: 3}, "3 orderer organizations: 1 to 2 are possible"},
		"too many brokers":           {Spec{Brokers: 10}, "10 brokers"},
		"a name no channel may have": {Spec{Channels: []string{"Ch_1"}}, `bad channel name "Ch_1"`},
		"channel twice":              {Spec{Channels: []string{"a", "a"}}, "channel a is named twice"},
		"channel like the system's":  {Spec{Channels: []string{"syschannel"}}, "channel syschannel is named twice"},
		"system channel":             {Spec{SystemChannel: "Sys"}, "system channel: bad channel name"},
		"network name":               {Spec{Name: "a/b"}, `network name "a/b"`},
		"capability":                 {Spec{Capability: "V2_0"}, `capability "V2_0"`},
		"batch timeout":              {Spec{BatchTimeout: -time.Second}, "batch timeout -1s"},
		"port in use":                {Spec{BasePort: used}, "is not free"},
		"port out of range":          {Spec{BasePort: 65530}, "base port 65530"},
		"orderer binary missing":     {Spec{OrdererBin: "/does/not/exist"}, "the orderer to run"},
		"orderer binary a folder":    {Spec{OrdererBin: "/tmp"}, "is not a program"},
		"orderer binary nowhere":     {Spec{OrdererBin: "/bin/sh", OrdererBinNodes: []string{"orderer3"}}, `node "orderer3" cannot run a Fabric orderer`},
		"no orderer binary":          {Spec{OrdererBinNodes: []string{"orderer0"}}, `node "orderer0" cannot run a Fabric orderer`},
		"configtx without crypto":    {Spec{Configtx: "configtxgen/testdata/seed-configtx.yaml"}, "needs the crypto-config.yaml"},
		"unreadable crypto config":   {Spec{CryptoConfig: "/does/not/exist"}, "no such file"},
		"bad crypto config":          {Spec{CryptoConfig: write("OrdererOrgs:\n  - Nme: x\n")}, `:2: OrdererOrgs.0: unknown key "Nme"`},
		"no orderer":                 {Spec{CryptoConfig: write("PeerOrgs: [{Name: a, Domain: a.b}]")}, "describes no orderer"},
		"no application org":         {Spec{CryptoConfig: write("OrdererOrgs: [{Name: a, Domain: a.b, Specs: [{Hostname: o}]}]")}, "no organization that could use a channel"},
		"NodeOUs with V1_4_2":        {Spec{Capability: "V1_4_2", CryptoConfig: write("OrdererOrgs: [{Name: a, Domain: a.b, EnableNodeOUs: true, Specs: [{Hostname: o}]}]\nPeerOrgs: [{Name: c, Domain: c.d}]")}, "has EnableNodeOUs, which the channel capability V1_4_2 does not know"},
		"bad configtx":               {Spec{CryptoConfig: seedCrypto, Configtx: write("Profiles:\n  P: {Ordrer: {}}\n")}, `:2: Profiles.P: unknown key "Ordrer"`},
		"configtx without profiles":  {Spec{CryptoConfig: seedCrypto, Configtx: write("Profiles: {}")}, "name the profile of the system channel"},
		"unknown genesis profile":    {Spec{CryptoConfig: seedCrypto, Configtx: "configtxgen/testdata/seed-configtx.yaml", GenesisProfile: "X"}, "Could not find profile: X"},
		"configtx of another net":    {Spec{CryptoConfig: write("OrdererOrgs: [{Name: a, Domain: a.b, Specs: [{Hostname: o}]}]\nPeerOrgs: [{Name: c, Domain: c.d}]"), Configtx: "configtxgen/testdata/seed-configtx.yaml"}, "MSPDir at crypto-config/ordererOrganizations/a.b/msp"},
		"not a Kafka network":        {Spec{CryptoConfig: seedCrypto, Configtx: write(strings.ReplaceAll(readFile(t, "configtxgen/testdata/seed-configtx.yaml"), "OrdererType: kafka", "OrdererType: solo"))}, "a migration starts from kafka"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := Init(filepath.Join(parent, "net"), tc.spec)
			require.ErrorContains(t, err, tc.want)
			entries, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

func TestInitRefusesAFolderThatIsNotEmpty(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "precious")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o644))
	_, err := Init(dir, Spec{})
	require.ErrorContains(t, err, "is not empty; nothing was changed")
	require.Equal(t, "x", readFile(t, file))
	require.NoError(t, os.Remove(file))
	_, err = Init(dir, Spec{Name: "n"})
	require.NoError(t, err, "an empty folder is taken")
}

func TestAnExistingEmptyFolderStaysTheSameFolder(t *testing.T) {
	dir := t.TempDir()
	before, err := os.Stat(dir)
	require.NoError(t, err)
	_, err = Init(dir, Spec{Channels: []string{"Bad"}})
	require.Error(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	n, err := Init(dir, Spec{Orderers: 1})
	require.NoError(t, err)
	after, err := os.Stat(dir)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	_, err = inventory.Load(n.InventoryFile())
	require.NoError(t, err)
	left, err := filepath.Glob(filepath.Join(dir, ".partial-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestNetworksAreCalledLikeTheirFolder(t *testing.T) {
	for folder, want := range map[string]string{
		"demo": "demo", "my net": "my-net", ".hidden": "hidden", "ü": "testnet", "": "testnet", strings.Repeat("x", 80): strings.Repeat("x", 64),
	} {
		got := nameFrom(folder)
		require.Equal(t, want, got)
		require.Regexp(t, networkName, got)
	}
}

func TestEvenAndSmallConsenterSetsAreNoted(t *testing.T) {
	for orderers, want := range map[int]string{1: "fewer than 3", 2: "fewer than 3", 4: "an even number"} {
		s := Spec{Orderers: orderers, Brokers: 4}
		require.Contains(t, strings.Join(s.warnings(), "\n"), want)
	}
	for _, orderers := range []int{3, 5, 7} {
		s := Spec{Orderers: orderers, Brokers: 4}
		require.Empty(t, s.warnings())
	}
}

func TestNetworksGetDifferentPorts(t *testing.T) {
	a, err := Init(filepath.Join(t.TempDir(), "a"), Spec{})
	require.NoError(t, err)
	again, err := Open(a.Dir)
	require.NoError(t, err)
	require.Equal(t, a.Manifest, again.Manifest, "ports are remembered")
}

func TestOpenRefusesWhatIsNoNetwork(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	require.ErrorContains(t, err, "is no rehearsal network")
	require.NoError(t, os.WriteFile(filepath.Join(dir, manifestFile), []byte("{"), 0o644))
	_, err = Open(dir)
	require.ErrorContains(t, err, manifestFile)
	require.NoError(t, os.WriteFile(filepath.Join(dir, manifestFile), []byte(`{"format": 99}`), 0o644))
	_, err = Open(dir)
	require.ErrorContains(t, err, "format 99 is unknown")
}

func TestAProgramThatIsGoneIsReplacedByTheOneThatRuns(t *testing.T) {
	n, err := Init(filepath.Join(t.TempDir(), "a"), Spec{Program: "/gone/raftmig"})
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, n.Inventory.Orderers[0].Control.Command[0])
	require.True(t, bytes.Contains([]byte(readFile(t, n.InventoryFile())), []byte(self)))
}

func TestOnlyOneRaftmigActsOnANetwork(t *testing.T) {
	n, err := Init(filepath.Join(t.TempDir(), "a"), Spec{})
	require.NoError(t, err)
	require.NoError(t, n.exclusive(func() error {
		other, err := Open(n.Dir)
		require.NoError(t, err)
		require.ErrorIs(t, other.Down(t.Context(), nil), ErrBusy)
		return nil
	}))
	require.NoError(t, n.Down(t.Context(), nil), "down works on a network that is down")
}

func TestFaultsNeedAKnownNodeAndKind(t *testing.T) {
	n, err := Init(filepath.Join(t.TempDir(), "a"), Spec{Orderers: 1})
	require.NoError(t, err)
	require.ErrorContains(t, n.Inject(t.Context(), FaultKill, "orderer7"), `there is no node "orderer7"; there are broker, orderer0`)
	require.ErrorContains(t, n.Inject(t.Context(), "explode", "orderer0"), `there is no fault "explode"`)
}

func TestStatusWorksWhileEverythingIsDown(t *testing.T) {
	n, err := Init(filepath.Join(t.TempDir(), "a"), Spec{})
	require.NoError(t, err)
	s, err := n.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Nodes, 4)
	require.Len(t, s.Channels, 3)
	require.True(t, s.Channels[0].System)
	require.False(t, s.Up("orderers"))
	require.True(t, n.needsKafka())
}

package fabricops_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops"
	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/node"
	"raftmig/fabricops/observe"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
	"raftmig/testnet/broker"
)

// kafka is an embedded broker as a controlled process.
type kafka struct {
	options broker.Options
	mu      sync.Mutex
	cluster *broker.Cluster
}

func (k *kafka) Start(context.Context) (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cluster == nil {
		k.cluster, err = broker.Start(k.options)
	}
	return err
}

func (k *kafka) Stop(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cluster == nil {
		return nil
	}
	err := k.cluster.Close()
	k.cluster = nil
	return err
}

func (k *kafka) Status(context.Context) (runbook.ProcessState, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return runbook.ProcessState{Running: k.cluster != nil}, nil
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

const ordererYAML = `General:
  ListenAddress: 127.0.0.1
  ListenPort: %[1]d
  TLS: {Enabled: true, PrivateKey: %[2]s/server.key, Certificate: %[2]s/server.crt, RootCAs: [%[2]s/ca.crt]}
  Cluster: {ClientCertificate: %[2]s/server.crt, ClientPrivateKey: %[2]s/server.key, RootCAs: [%[2]s/ca.crt]}
  BootstrapMethod: file
  BootstrapFile: %[3]s
  LocalMSPDir: %[2]s/../msp
  LocalMSPID: OrdererMSP
FileLedger: {Location: %[4]s}
Kafka: {Version: 1.0.0, Topic: {ReplicationFactor: 2}, Retry: {ShortInterval: 200ms, ShortTotal: 30s}}
Operations: {ListenAddress: "127.0.0.1:%[5]d"}
Admin: {ListenAddress: "127.0.0.1:0"}
Metrics: {Provider: prometheus}
Consensus: {WALDir: %[4]s/etcdraft/wal, SnapDir: %[4]s/etcdraft/snapshot}
`

// realNetwork is a network of Fabric's own orderers with the embedded broker.
func realNetwork(t *testing.T, bin string) (*inventory.Network, func(runbook.Tier, inventory.Process) (node.Controller, error)) {
	t.Helper()
	crypto := fakenet.NewCrypto(t)
	if fabrictest.Version(t).Before(2, 0) {
		fabrictest.LowerCAs(t, crypto.Dir)
	}
	dir := t.TempDir()
	ports := freePorts(t, 8)
	brokers := ports[:2]
	k := &kafka{options: broker.Options{Ports: brokers, DataDir: filepath.Join(dir, "kafka")}}
	t.Cleanup(func() { _ = k.Stop(context.Background()) })

	config, err := os.ReadFile("testdata/configtx.yaml")
	require.NoError(t, err)
	text := strings.NewReplacer(
		"crypto-config/", crypto.Dir+"/",
		`"127.0.0.1:9092","127.0.0.1:9093"`, fmt.Sprintf(`"127.0.0.1:%d","127.0.0.1:%d"`, brokers[0], brokers[1]),
		"localhost:7050", fmt.Sprintf("localhost:%d", ports[2]), "localhost:7150", fmt.Sprintf("localhost:%d", ports[3]),
		"localhost:7250", fmt.Sprintf("localhost:%d", ports[4]),
	).Replace(string(config))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "configtx.yaml"), []byte(text), 0o600))
	genesis := filepath.Join(dir, "genesis.block")
	run(t, dir, filepath.Join(bin, "configtxgen"), "-configPath", dir, "-profile", "Genesis", "-channelID", "syschannel", "-outputBlock", genesis)
	inv := &inventory.Network{
		Name: "real", SystemChannel: "syschannel", Admin: crypto.Admin(),
		Clients: map[string]inventory.Identity{"*": crypto.User()},
		Raft:    inventory.Raft{TickInterval: 100 * time.Millisecond},
		Brokers: []inventory.Process{{
			Name: "kafka", Addresses: []string{"127.0.0.1:" + strconv.Itoa(brokers[0]), "127.0.0.1:" + strconv.Itoa(brokers[1])},
			Data: []string{k.options.DataDir}, Control: inventory.Control{Kind: inventory.ControlManual},
		}},
	}
	for i := range 3 {
		tls, data, cfg := crypto.OrdererTLS(i), filepath.Join(dir, fmt.Sprintf("o%d", i)), filepath.Join(dir, fmt.Sprintf("cfg%d", i))
		require.NoError(t, os.MkdirAll(cfg, 0o700))
		yaml := fmt.Sprintf(ordererYAML, ports[2+i], tls, genesis, data, ports[5+i])
		require.NoError(t, os.WriteFile(filepath.Join(cfg, "orderer.yaml"), fabrictest.OrdererYAML(t, []byte(yaml)), 0o600))
		inv.Orderers = append(inv.Orderers, inventory.Orderer{
			Process: inventory.Process{
				Name: fmt.Sprintf("orderer%d", i), Address: fmt.Sprintf("localhost:%d", ports[2+i]), Log: filepath.Join(dir, fmt.Sprintf("o%d.log", i)),
				Control: inventory.Control{
					Kind: inventory.ControlProcess, Command: []string{filepath.Join(bin, "orderer")}, Env: []string{"FABRIC_CFG_PATH=" + cfg},
					Dir: cfg, PIDFile: filepath.Join(dir, fmt.Sprintf("o%d.pid", i)),
				},
			},
			TLSRootCAs: []string{filepath.Join(tls, "ca.crt")}, ServerCert: filepath.Join(tls, "server.crt"), ClientCert: filepath.Join(tls, "server.crt"),
			Operations: fmt.Sprintf("127.0.0.1:%d", ports[5+i]),
			LedgerDir:  data, WALDir: filepath.Join(data, "etcdraft/wal"), SnapDir: filepath.Join(data, "etcdraft/snapshot"),
		})
	}
	require.NoError(t, inv.Validate())
	require.NoError(t, inv.CheckFiles())
	return inv, func(tier runbook.Tier, p inventory.Process) (node.Controller, error) {
		if tier == runbook.TierBrokers {
			return k, nil
		}
		return node.New(p, node.Options{Tier: tier})
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// createChannel makes a channel creation transaction with configtxgen and submits it.
func createChannel(t *testing.T, inv *inventory.Network, bin, name string) {
	t.Helper()
	dir := filepath.Dir(inv.Orderers[0].LedgerDir)
	file := filepath.Join(dir, name+".tx")
	run(t, dir, filepath.Join(bin, "configtxgen"), "-configPath", dir, "-profile", "Chan", "-channelID", name, "-outputCreateChannelTx", file)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	env, err := protoutil.UnmarshalEnvelope(raw)
	require.NoError(t, err)
	update, err := protoutil.EnvelopeToConfigUpdate(env)
	require.NoError(t, err)
	user, err := identity.Load(inventory.Identity{MSPID: "Org1MSP", MSPDir: strings.ReplaceAll(inv.Clients["*"].MSPDir, "User1", "Admin")})
	require.NoError(t, err)
	h, err := protoutil.NewSignatureHeader(user)
	require.NoError(t, err)
	header := protoutil.MustMarshal(h)
	sig, err := user.Sign(append(append([]byte(nil), header...), update.ConfigUpdate...))
	require.NoError(t, err)
	update.Signatures = append(update.Signatures, &cb.ConfigSignature{SignatureHeader: header, Signature: sig})
	ch, err := protoutil.ChannelHeader(env)
	require.NoError(t, err)
	env, err = protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: ch.ChannelId, Time: time.Now(), Data: update}, user)
	require.NoError(t, err)
	pool := dial.New(inv.Orderers, nil)
	defer pool.Close()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := broadcast.New(pool).Send(t.Context(), inv.Orderers[0].Name, env)
		if err == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), err) // Kafka is still being set up
	}
}

// The whole guide, and the way back, on Fabric's own orderers.
func TestInteropOperatorMigratesFabricsOwnOrderers(t *testing.T) {
	bin := fabrictest.Dir(t, "orderer", "configtxgen")
	inv, controller := realNetwork(t, bin)
	op, err := fabricops.New(inv, fabricops.Options{RunDir: t.TempDir(), Run: "real", Controller: controller})
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	r := &rig{Operator: op, inv: inv}
	tier := func(kind runbook.EffectKind, tiers ...runbook.Tier) {
		for _, x := range tiers {
			started := time.Now()
			r.perform(t, runbook.Effect{Kind: kind, Tier: x})
			t.Logf("%s %s: %v", kind, x, time.Since(started).Round(time.Millisecond))
		}
	}
	t.Cleanup(func() {
		_, _ = op.Perform(context.Background(), runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers}, nil)
	})
	tier(runbook.StartNodes, runbook.TierBrokers, runbook.TierOrderers)
	createChannel(t, inv, bin, "ch1")
	r.await(t, runbook.Expectation{Type: "kafka", State: "STATE_NORMAL", Agreement: true})

	facts := r.perform(t, runbook.Effect{Kind: runbook.GatherFacts}).Facts
	require.Equal(t, []string{"syschannel", "ch1"}, facts.ChannelList.Names)
	require.Equal(t, []string{"ch1", "syschannel"}, facts.ChannelList.Sources["kafka topics"])
	for _, o := range facts.Orderers {
		require.Empty(t, o.Error)
		require.Equal(t, facts.Orderers[0].Version, o.Version)
		require.NotEmpty(t, o.Version)
		require.True(t, o.ClockKnown)
		require.Less(t, o.ClockOffset.Abs(), 3*time.Second)
	}
	for _, c := range facts.Channels {
		require.Empty(t, c.AdminPolicy)
		require.Empty(t, c.UntrustedConsenters)
	}
	require.Len(t, r.perform(t, runbook.Effect{Kind: runbook.SendTransactions, Channels: both}).Transactions, 2)
	md := r.perform(t, runbook.Effect{Kind: runbook.BuildMetadata}).Metadata

	for _, rollback := range []bool{true, false} {
		started := time.Now()
		r.update(t, runbook.ChangeEnterMaintenance, nil)
		r.await(t, runbook.Expectation{Type: "kafka", State: "STATE_MAINTENANCE", Agreement: true})
		t.Logf("maintenance: %v", time.Since(started).Round(time.Millisecond))
		if rollback {
			tier(runbook.StopNodes, runbook.TierOrderers)
			flush := r.perform(t, runbook.Effect{Kind: runbook.ProveFlush, Channels: both})
			require.Nil(t, runbook.JudgeFlush(both, r.Plan("").Orderers, flush.Flush), flush.Summary)
			t.Logf("flush: %v", flush.Flush)
			tier(runbook.StopNodes, runbook.TierBrokers)
			heights := r.perform(t, runbook.Effect{Kind: runbook.TakeBackup}).Backup.Heights
			require.EqualValues(t, 3, heights["ch1"])
			tier(runbook.StartNodes, runbook.TierBrokers, runbook.TierOrderers)
		}
		started = time.Now()
		r.update(t, runbook.ChangeSwitchType, md.Bytes)
		r.await(t, runbook.Expectation{Type: "etcdraft", State: "STATE_MAINTENANCE", MetadataHash: md.Hash, Agreement: true, TypeChangeLast: true})
		t.Logf("switch: %v", time.Since(started).Round(time.Millisecond))
		tier(runbook.StopNodes, runbook.TierOrderers, runbook.TierBrokers)
		tier(runbook.StartNodes, runbook.TierOrderers)
		started = time.Now()
		states := r.await(t, runbook.Expectation{Type: "etcdraft", State: "STATE_MAINTENANCE", Leader: true, Agreement: true})
		t.Logf("leaders: %v", time.Since(started).Round(time.Millisecond))
		metricsAgree(t, inv, states)
		if rollback {
			tier(runbook.StopNodes, runbook.TierOrderers)
			require.False(t, r.perform(t, runbook.Effect{Kind: runbook.RestoreBackup}).AlreadyDone)
			r.perform(t, runbook.Effect{Kind: runbook.RemoveRaftState})
			tier(runbook.StartNodes, runbook.TierBrokers, runbook.TierOrderers)
			r.await(t, runbook.Expectation{Type: "kafka", State: "STATE_MAINTENANCE", Agreement: true})
		}
		started = time.Now()
		r.update(t, runbook.ChangeExitMaintenance, nil)
		r.await(t, runbook.Expectation{State: "STATE_NORMAL"})
		t.Logf("exit: %v", time.Since(started).Round(time.Millisecond))
		require.Len(t, r.perform(t, runbook.Effect{Kind: runbook.SendTransactions, Channels: both}).Transactions, 2)
	}
}

// metricsAgree checks that the metrics name the leaders that the logs name.
func metricsAgree(t *testing.T, inv *inventory.Network, states []runbook.ChannelState) {
	t.Helper()
	var targets []observe.Target
	for _, o := range inv.Orderers {
		targets = append(targets, observe.Target{Node: o.Name, Address: o.Operations})
	}
	m := observe.NewMetrics(targets)
	for _, c := range states {
		for _, n := range c.Nodes {
			require.Equal(t, n.Leader, m.Leader(n.Node, c.Name), "%s on %s", c.Name, n.Node)
		}
	}
}

// The three updates of 20 channels beside the system channel on three of
// Fabric's own orderers. A script with Fabric's tools takes 42 s for them.
func TestUpdatesOfTwentyChannelsAreQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real processes; left out with -short")
	}
	bin := fabrictest.Dir(t, "orderer", "configtxgen")
	inv, controller := realNetwork(t, bin)
	op, err := fabricops.New(inv, fabricops.Options{RunDir: t.TempDir(), Run: "real", Controller: controller})
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	r := &rig{Operator: op, inv: inv}
	t.Cleanup(func() {
		_, _ = op.Perform(context.Background(), runbook.Effect{Kind: runbook.StopNodes, Tier: runbook.TierOrderers}, nil)
	})
	r.perform(t, runbook.Effect{Kind: runbook.StartNodes, Tier: runbook.TierBrokers})
	r.perform(t, runbook.Effect{Kind: runbook.StartNodes, Tier: runbook.TierOrderers})
	var apps []string
	for i := range 20 {
		apps = append(apps, fmt.Sprintf("app%02d", i))
		createChannel(t, inv, bin, apps[i])
	}
	all := append([]string{"syschannel"}, apps...)
	await := func(x runbook.Expectation) {
		ev := r.perform(t, runbook.Effect{Kind: runbook.AwaitChannels, Channels: all, Expect: &x, Timeout: time.Minute})
		require.Empty(t, x.Judge(ev.Channels))
	}
	await(runbook.Expectation{Type: "kafka", State: "STATE_NORMAL", Agreement: true})
	md := r.perform(t, runbook.Effect{Kind: runbook.BuildMetadata}).Metadata
	var total time.Duration
	round := func(change runbook.Change, x runbook.Expectation) {
		started := time.Now()
		for _, wave := range [][]string{{"syschannel"}, apps} {
			var wg sync.WaitGroup
			for _, c := range wave {
				wg.Go(func() {
					if _, err := op.Perform(t.Context(), runbook.Effect{Kind: runbook.SubmitUpdate, Channel: c, Change: change, Metadata: md.Bytes}, nil); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		await(x)
		took := time.Since(started)
		total += took
		t.Logf("%s: %v", change, took.Round(time.Millisecond))
	}
	round(runbook.ChangeEnterMaintenance, runbook.Expectation{State: "STATE_MAINTENANCE", Agreement: true})
	round(runbook.ChangeSwitchType, runbook.Expectation{MetadataHash: md.Hash, Agreement: true, TypeChangeLast: true})
	for _, tier := range []runbook.Tier{runbook.TierOrderers, runbook.TierBrokers} {
		r.perform(t, runbook.Effect{Kind: runbook.StopNodes, Tier: tier})
	}
	r.perform(t, runbook.Effect{Kind: runbook.StartNodes, Tier: runbook.TierOrderers})
	started := time.Now()
	await(runbook.Expectation{Leader: true, Agreement: true})
	t.Logf("leaders: %v", time.Since(started).Round(time.Millisecond))
	round(runbook.ChangeExitMaintenance, runbook.Expectation{State: "STATE_NORMAL", MetadataHash: md.Hash})
	require.Less(t, total, 20*2100*time.Millisecond/10)
}

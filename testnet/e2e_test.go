package testnet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
	"raftmig/testnet/load"
	"raftmig/testnet/validate"
)

var (
	buildOnce sync.Once
	built     string
	buildErr  error
)

// TestMain removes the program that program built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(code)
}

// program is RAFTMIG_BIN, or raftmig built once for all tests that start real
// processes.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real processes; left out with -short")
	}
	if bin := os.Getenv("RAFTMIG_BIN"); bin != "" {
		return bin
	}
	buildOnce.Do(func() {
		var dir string
		if dir, buildErr = os.MkdirTemp("", "raftmig-testnet-"); buildErr != nil {
			return
		}
		built = filepath.Join(dir, "raftmig")
		out, err := exec.Command("go", "build", "-o", built, "raftmig/cmd/raftmig").CombinedOutput()
		if err != nil {
			buildErr = fmt.Errorf("%w: %s", err, out)
		}
	})
	require.NoError(t, buildErr)
	return built
}

// limit bounds a whole test; everything in it ends by events.
const limit = 2 * time.Minute

// running makes and starts a network and takes it down at the end.
func running(t *testing.T, s Spec) (context.Context, *Network) {
	t.Helper()
	return started(t, s, Init)
}

// started is running for any way to make a network.
func started(t *testing.T, s Spec, create func(dir string, s Spec) (*Network, error)) (context.Context, *Network) {
	t.Helper()
	s.Program = program(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	n, err := create(filepath.Join(t.TempDir(), "net"), s)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := n.Down(ctx, nil); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			showLogs(t, n)
		}
	})
	require.NoError(t, n.Up(ctx, nil))
	require.NoError(t, n.CreateChannels(ctx, nil))
	return ctx, n
}

func showLogs(t *testing.T, n *Network) {
	for _, o := range n.Inventory.Orderers {
		data, err := os.ReadFile(o.Log)
		if err != nil {
			continue
		}
		lines := strings.Split(string(data), "\n")
		t.Logf("end of the log of %s:\n%s", o.Name, strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

func send(ctx context.Context, t *testing.T, n *Network, count int) *load.Result {
	t.Helper()
	r, err := n.Load(ctx, Traffic{Transactions: count})
	require.NoError(t, err)
	require.Equal(t, count, r.Acknowledged)
	return r
}

func requireAgreement(ctx context.Context, t *testing.T, n *Network, committed int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := n.AwaitAgreement(ctx)
	require.NoError(t, err)
	require.True(t, r.OK(), "%+v", r)
	require.Equal(t, committed, r.Committed)
	require.Zero(t, r.Missing+r.Duplicated)
}

func TestANetworkComesUpTakesTransactionsAndGoesDown(t *testing.T) {
	ctx, n := running(t, Spec{})
	send(ctx, t, n, 100)
	requireAgreement(ctx, t, n, 100)
	s, err := n.Status(ctx)
	require.NoError(t, err)
	require.True(t, s.Up("orderers") && s.Up("brokers"))
	require.Len(t, s.Channels, 3)
	for _, c := range s.Channels {
		require.Equal(t, "kafka", c.Type)
		require.False(t, c.Maintenance)
		require.Positive(t, c.Heights["orderer2"])
	}

	require.NoError(t, n.Up(ctx, nil), "up on what is up changes nothing")
	require.NoError(t, n.CreateChannels(ctx, nil))
	again, err := n.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, s.Nodes, again.Nodes)

	require.NoError(t, n.Down(ctx, nil))
	s, err = n.Status(ctx)
	require.NoError(t, err)
	for _, node := range s.Nodes {
		require.False(t, node.Running, node.Name)
	}
	require.NoError(t, n.Up(ctx, nil))
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 120)
}

func TestTransactionsSurviveKilledNodesAndBrokers(t *testing.T) {
	ctx, n := running(t, Spec{Channels: []string{"ch1"}})
	send(ctx, t, n, 30)
	require.NoError(t, n.Inject(ctx, FaultKill, "orderer1"))
	send(ctx, t, n, 30)
	require.NoError(t, n.Inject(ctx, FaultStart, "orderer1"))
	require.NoError(t, n.Inject(ctx, FaultRestart, "broker"))
	send(ctx, t, n, 30)
	require.NoError(t, n.Inject(ctx, FaultKill, "broker"))
	require.NoError(t, n.Inject(ctx, FaultStart, "broker"))
	send(ctx, t, n, 30)
	requireAgreement(ctx, t, n, 120)
}

func TestNothingAcknowledgedIsLostWhenNodesAndBrokersDieUnderLoad(t *testing.T) {
	ctx, n := running(t, Spec{Channels: []string{"ch1", "ch2"}})
	type outcome struct {
		result *load.Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := n.Load(ctx, Traffic{Transactions: 1500, Streams: 6})
		done <- outcome{r, err}
	}()
	for _, node := range []string{"orderer0", brokerName, "orderer1", "orderer2", brokerName} {
		require.NoError(t, n.Inject(ctx, FaultKill, node))
		require.NoError(t, n.Inject(ctx, FaultStart, node))
	}
	o := <-done
	require.NoError(t, o.err)
	require.Equal(t, 1500, o.result.Sent)
	// A broker that dies after it has written a record and before it has said so
	// makes the producer send it again: Fabric's orderers, and ours, order such a
	// record twice. So duplicates are no fault here; a loss or a fork is.
	var r *validate.Report
	require.Eventually(t, func() bool {
		var err error
		r, err = n.Validate()
		return err == nil && r.Missing == 0 && !forked(r)
	}, time.Minute, 200*time.Millisecond, "%+v", r)
	t.Logf("%+v", r.Counts)
}

func forked(r *validate.Report) bool {
	for _, c := range r.Channels {
		if len(c.Problems) > 0 {
			return true
		}
	}
	return false
}

func TestDownCleansUpAfterACrash(t *testing.T) {
	ctx, n := running(t, Spec{Orderers: 1, Channels: []string{"ch1"}})
	require.NoError(t, n.Inject(ctx, FaultPause, "orderer0"))
	s, err := n.Status(ctx)
	require.NoError(t, err)
	// The starter died before it wrote one pid file; another node died.
	require.NoError(t, os.Remove(n.Inventory.Orderers[0].Control.PIDFile))
	var brokerPID int
	for _, node := range s.Nodes {
		if node.Name == brokerName {
			brokerPID = node.PID
		}
	}
	require.NoError(t, syscall.Kill(brokerPID, syscall.SIGKILL))
	again, err := Open(n.Dir)
	require.NoError(t, err)
	require.NoError(t, again.Down(ctx, nil))
	s, err = again.Status(ctx)
	require.NoError(t, err)
	for _, node := range s.Nodes {
		require.False(t, node.Running, node.Name)
	}
}

func TestTwoNetworksRunSideBySide(t *testing.T) {
	ctx, a := running(t, Spec{Name: "a", Orderers: 1, Channels: []string{"ch1"}})
	_, b := running(t, Spec{Name: "b", Orderers: 1, Channels: []string{"ch1"}, Capability: "V1_4_2"})
	send(ctx, t, a, 10)
	send(ctx, t, b, 20)
	requireAgreement(ctx, t, a, 10)
	requireAgreement(ctx, t, b, 20)
}

func TestTheFilesOfTheSeedRun(t *testing.T) {
	ctx, n := running(t, Spec{
		CryptoConfig: "cryptogen/testdata/seed-crypto-config.yaml", Configtx: "configtxgen/testdata/seed-configtx.yaml",
		Channels: []string{"channel1", "channel2", "channel3"},
	})
	send(ctx, t, n, 30)
	requireAgreement(ctx, t, n, 30)
}

func TestSeveralOrganizationsShareANetwork(t *testing.T) {
	ctx, n := running(t, Spec{Orderers: 3, OrdererOrgs: 3, AppOrgs: 2, Channels: []string{"ch1"}, AdminCerts: true})
	send(ctx, t, n, 20)
	requireAgreement(ctx, t, n, 20)
}

func TestInteropARealOrdererRunsInANetwork(t *testing.T) {
	bin := fabrictest.Dir(t, "orderer")
	ctx, n := running(t, Spec{OrdererBin: filepath.Join(bin, "orderer"), Channels: []string{"ch1"}})
	send(ctx, t, n, 30)
	requireAgreement(ctx, t, n, 30)
}

func TestAPortThatIsTakenInTheMeantimeIsNamed(t *testing.T) {
	s := Spec{Orderers: 1, Channels: []string{}, Program: program(t)}
	a, err := Init(filepath.Join(t.TempDir(), "a"), s)
	require.NoError(t, err)
	s.BasePort = a.Manifest.Orderers[0].Port
	b, err := Init(filepath.Join(t.TempDir(), "b"), s)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	defer func() { require.NoError(t, a.Down(context.Background(), nil)) }()
	require.NoError(t, a.Up(ctx, nil))
	require.ErrorContains(t, b.Up(ctx, nil), "is in use by another process")
	s2, err := a.Status(ctx)
	require.NoError(t, err)
	require.True(t, s2.Up("orderers") && s2.Up("brokers"), "the other network is left alone")
}

func TestALostTransactionIsFound(t *testing.T) {
	ctx, n := running(t, Spec{Orderers: 1, Channels: []string{"ch1"}})
	send(ctx, t, n, 5)
	requireAgreement(ctx, t, n, 5)
	f, err := os.OpenFile(n.HistoryFile(), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"tx_id":"lost","channel":"ch1","status":"` + validate.Acknowledged + `"}` + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	r, err := n.Validate()
	require.NoError(t, err)
	require.Equal(t, 1, r.Missing)
	require.False(t, r.OK())
}

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// asOrderer is the binary under the name of Fabric's.
func asOrderer(t *testing.T) string {
	link := filepath.Join(t.TempDir(), "orderer")
	require.NoError(t, os.Symlink(binary(t), link))
	return link
}

// ordererFolder holds an orderer.yaml for a network with one solo orderer.
func ordererFolder(t *testing.T) string {
	n := fixture.New(t)
	genesis := n.Genesis(func(c *cb.Config) {
		fixture.OrdererValues(c)[channelconfig.ConsensusTypeKey].Value = protoutil.MustMarshal(&ab.ConsensusType{Type: "solo"})
	})
	require.NoError(t, os.WriteFile(n.Path("genesis.block"), protoutil.MustMarshal(genesis), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	text := fmt.Sprintf("General: {ListenPort: %d, LocalMSPID: OrdererMSP, LocalMSPDir: %s/msp, BootstrapFile: genesis.block}\nFileLedger: {Location: ledgers}\n", l.Addr().(*net.TCPAddr).Port, fixture.OrdererDir(0))
	require.NoError(t, os.WriteFile(n.Path("orderer.yaml"), []byte(text), 0o600))
	return n.Dir
}

// Exit codes and output of "raftmig orderer" and of the binary that is called
// orderer: Fabric's (spec 8.3, appendix D, 1).
func TestTheOrdererCommandLine(t *testing.T) {
	link, folder := asOrderer(t), ordererFolder(t)
	for _, tc := range []struct {
		name string
		args []string
		env  string
		code int
		want string
	}{
		{"version", []string{"version"}, "", 0, "orderer:\n Version: 2.5.16 (raftmig "},
		{"help", []string{"--help"}, "", 0, "FABRIC_CFG_PATH"},
		{"an unknown command", []string{"bogus"}, "", 1, "bogus"},
		{"an unknown flag", []string{"--bogus"}, "", 1, "bogus"},
		{"no configuration", nil, "FABRIC_CFG_PATH=" + t.TempDir(), 1, "failed to parse config: "},
		{"no configuration, with start", []string{"start"}, "FABRIC_CFG_PATH=" + t.TempDir(), 1, "failed to parse config: "},
		{"a bad variable", nil, "ORDERER_GENERAL_LISTENPORT=x", 1, "failed to parse config: "},
		{"a bad logging specification", nil, "FABRIC_LOGGING_SPEC=bogus", 2, "invalid logging specification 'bogus'"},
		{"a fatal condition", nil, "ORDERER_GENERAL_LOCALMSPDIR=nowhere", 2, "Failed to get local msp config: "},
		{"a refused configuration", nil, "ORDERER_KAFKA_SASLPLAIN_ENABLED=true", 2, "General.Kafka.SASLPlain.User must be set if General.Kafka.SASLPlain.Enabled is set to true."},
		{"a file that is not there", nil, "ORDERER_GENERAL_CLUSTER_ROOTCAS=[nowhere]", 1, "Failed to load ServerRootCAs file '"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, cmd := range []*exec.Cmd{exec.Command(link, tc.args...), exec.Command(binary(t), append([]string{"orderer"}, tc.args...)...)} {
				cmd.Dir = t.TempDir()
				cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+folder, tc.env)
				out, _ := cmd.CombinedOutput() // the code tells
				require.Equal(t, tc.code, cmd.ProcessState.ExitCode(), string(out))
				require.Contains(t, string(out), tc.want)
			}
		})
	}
}

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) has(text string) func() bool {
	return func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return strings.Contains(o.buf.String(), text)
	}
}

// SIGUSR1 logs all goroutines and changes nothing; SIGTERM stops with code 0
// (spec 8.4).
func TestTheOrdererProcessAndSignals(t *testing.T) {
	cmd := exec.Command(asOrderer(t))
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+ordererFolder(t), "FABRIC_LOGGING_FORMAT=%{level} %{module} %{message}")
	out := &output{}
	cmd.Stderr = out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended if all went well
	const patience, tick = 30 * time.Second, 20 * time.Millisecond
	require.Eventually(t, out.has("Beginning to serve requests"), patience, tick)
	require.NoError(t, cmd.Process.Signal(syscall.SIGUSR1))
	require.Eventually(t, out.has("orderer.common.server.diag Go routines report:\ngoroutine "), patience, tick)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "%v", out)
	require.True(t, out.has("Received signal: 15 (terminated)")())
}

package server

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/flogging"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
)

// startRefusal is a variable of the environment with which no orderer starts.
type startRefusal struct {
	env  string // may be two, separated by a blank
	text string // what a real orderer of 2.5 says, and we
	code int    // with which its process ends, and ours
	raft bool
}

func startRefusals(n *network) []startRefusal {
	return []startRefusal{
		{"ORDERER_GENERAL_LOCALMSPDIR=/nothing", "Failed to get local msp config: could not load a valid ", 2, false},
		{"ORDERER_GENERAL_BOOTSTRAPFILE=/nothing", "unable to bootstrap orderer. Error reading genesis block file: read /nothing: is a directory", 2, false},
		{"ORDERER_GENERAL_BOOTSTRAPFILE=" + n.Path("junk.block"), "unable to bootstrap orderer. Error unmarshalling genesis block: ", 2, false},
		{"ORDERER_GENERAL_BOOTSTRAPFILE=" + n.Path("app.block"), "Failed validating bootstrap block: the block isn't a system channel block because it lacks ConsortiumsConfig", 2, false},
		{"ORDERER_GENERAL_BOOTSTRAPMETHOD=magic", "Unknown bootstrap method: magic", 2, false},
		{"ORDERER_GENERAL_TLS_PRIVATEKEY=/nothing", "Failed to load TLS PrivateKey file '/nothing' (read /nothing: is a directory)", 1, false},
		{"ORDERER_GENERAL_TLS_CERTIFICATE=/nothing", "Failed to load server TLS Certificate file '/nothing' (read /nothing: is a directory)", 1, false},
		{"ORDERER_GENERAL_TLS_CLIENTROOTCAS=[/nothing] ORDERER_GENERAL_TLS_CLIENTAUTHREQUIRED=true", "Failed to load TLS ClientRootCAs file '", 1, false},
		{"ORDERER_GENERAL_LISTENADDRESS=300.1.1.1", "Failed to listen: listen tcp: lookup 300.1.1.1", 1, false},
		{"ORDERER_OPERATIONS_LISTENADDRESS=300.1.1.1:1", "failed to start operations subsystem: ", 2, false},
		{"ORDERER_KAFKA_TLS_ENABLED=true", "General.Kafka.TLS.Certificate must be set if General.Kafka.TLS.Enabled is set to true.", 2, false},
		{"ORDERER_KAFKA_SASLPLAIN_ENABLED=true", "General.Kafka.SASLPlain.User must be set if General.Kafka.SASLPlain.Enabled is set to true.", 2, false},
		{"ORDERER_KAFKA_SASLPLAIN_ENABLED=true ORDERER_KAFKA_SASLPLAIN_USER=u", "General.Kafka.SASLPlain.Password must be set if General.Kafka.SASLPlain.Enabled is set to true.", 2, false},
		{"ORDERER_GENERAL_TLS_ENABLED=false", "TLS is required for running ordering nodes of cluster type.", 2, true},
		{"ORDERER_GENERAL_CLUSTER_LISTENPORT=7", "Options: General.Cluster.ListenPort, General.Cluster.ListenAddress, General.Cluster.ServerCertificate, General.Cluster.ServerPrivateKey, should be defined altogether.", 2, true},
		{"ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE=/nothing", "Failed to load client TLS certificate file '/nothing' (read /nothing: is a directory)", 1, true},
		{"ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY=/nothing", "Failed to load client TLS key file '/nothing' (read /nothing: is a directory)", 1, true},
		{"ORDERER_GENERAL_CLUSTER_ROOTCAS=[/nothing]", "Failed to load ServerRootCAs file '/nothing' (read /nothing: is a directory)", 1, true},
	}
}

// refusing prepares a network for startRefusals and returns its orderer.yaml.
func (n *network) refusing(raft bool) (dir string) {
	n.raftGenesis(n.RaftMetadata(n.ports[0]))
	if !raft {
		n.writeGenesis(func(*cb.Config) {})
	}
	require.NoError(n.t, os.RemoveAll(n.Path("o0")))
	app := n.Genesis(func(c *cb.Config) { delete(c.ChannelGroup.Groups, channelconfig.ConsortiumsGroup) })
	dir = n.Path("config")
	require.NoError(n.t, os.MkdirAll(dir, 0o755))
	text := n.config(0, "") + "  Topic: {ReplicationFactor: 1}\n  TLS: {Enabled: false}\n  SASLPlain: {Enabled: false}\nAdmin: {ListenAddress: 127.0.0.1:0}\n"
	for name, content := range map[string][]byte{"app.block": protoutil.MustMarshal(app), "junk.block": {1, 2, 3}, "config/orderer.yaml": []byte(text)} {
		require.NoError(n.t, os.WriteFile(n.Path(name), content, 0o600))
	}
	return dir
}

// What ends the start of a real orderer ends ours, with its text and the exit
// code of its process (spec 8.3, 8.5).
func TestStartRefusals(t *testing.T) {
	n := newNetwork(t)
	for _, tc := range startRefusals(n) {
		t.Run(tc.env, func(t *testing.T) {
			conf, err := localconfig.Load(n.refusing(tc.raft), strings.Fields(tc.env))
			var refused *localconfig.Refusal
			if errors.As(err, &refused) {
				require.ErrorContains(t, err, tc.text)
				require.Equal(t, 2, tc.code, "as cmd ends the process")
				return
			}
			require.NoError(t, err)
			log := &logBuffer{}
			logging, err := flogging.New(flogging.Config{Format: plainFormat, Writer: log})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err = Run(ctx, conf, Options{Logging: logging})
			require.ErrorContains(t, err, tc.text)
			require.Equal(t, tc.code, ExitCode(err))
			require.Contains(t, log.String(), map[int]string{1: " FATA [orderer.common.server] ", 2: " PANI [orderer.common.server] "}[tc.code])
		})
	}
}

func TestInteropStartRefusals(t *testing.T) {
	fabrictest.Since(t, 2, 5, "the texts are those of 2.5")
	binary, n := fabricBinary(t, "orderer"), newNetwork(t)
	for _, tc := range startRefusals(n) {
		dir := n.refusing(tc.raft)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := exec.CommandContext(ctx, binary)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "FABRIC_CFG_PATH=" + filepath.Clean(dir)}, strings.Fields(tc.env)...)
		out, _ := cmd.CombinedOutput() // the code tells
		cancel()
		assert.Equal(t, tc.code, cmd.ProcessState.ExitCode(), tc.env)
		assert.Contains(t, string(out), tc.text, tc.env)
	}
}

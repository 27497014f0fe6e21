package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/fabrictest"
	"raftmig/runbook"
)

// byHand is an operator's shell: the commands that a plan shows, Fabric's tools
// in its PATH, and an ssh that reaches the nodes of a rehearsal network.
type byHand struct {
	t        testing.TB
	dir      string // of the shell
	env      []string
	commands map[runbook.StepID][]string
}

func newByHand(t testing.TB, net, file string) *byHand {
	t.Helper()
	bin := fabrictest.Dir(t, "peer", "configtxlator")
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
	n, err := inventory.Load(file)
	require.NoError(t, err)
	h := &byHand{t: t, dir: t.TempDir(), commands: map[runbook.StepID][]string{}}
	certs := filepath.Join(h.dir, "certs")
	for _, o := range n.Orderers {
		require.NoError(t, os.MkdirAll(filepath.Join(certs, o.Name), 0o700))
		require.NoError(t, os.Symlink(o.ServerCert, filepath.Join(certs, o.Name, "server.crt")))
		require.NoError(t, os.Symlink(o.ClientCert, filepath.Join(certs, o.Name, "client.crt")))
	}
	h.env = append(newPeerCLI(t, n).env, "PATH="+bin+":"+os.Getenv("PATH"),
		"ORDERER="+n.Orderers[0].Address, "CA="+n.Orderers[0].TLSRootCAs[0], "CERTS="+certs,
		"RAFTMIG="+binary(t), "NET="+net)

	r := run(t, nil, "plan", "--json", "--network", file)
	require.Zero(t, r.code, r.stderr)
	var steps []runbook.StepView
	require.NoError(t, json.Unmarshal(r.stdout, &steps))
	for _, s := range steps {
		h.commands[s.ID] = s.Explain.Commands
	}
	return h
}

// shell has what the commands presuppose.
const shell = `set -eu -o pipefail
ssh() { # NODE systemctl stop|start NODE.service
  [ "$2" = systemctl ] && [ "$4" = "$1.service" ]
  "$RAFTMIG" testnet fault "$3" "$1" --dir "$NET"
}
`

// try types the commands of a step.
func (h *byHand) try(step runbook.StepID) (string, error) {
	require.NotEmpty(h.t, h.commands[step], "%s shows no commands", step)
	cmd := exec.Command("bash", "-c", shell+strings.Join(h.commands[step], "\n"))
	cmd.Dir, cmd.Env = h.dir, h.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *byHand) do(steps ...runbook.StepID) {
	h.t.Helper()
	for _, step := range steps {
		out, err := h.try(step)
		require.NoError(h.t, err, "%s\n%s\n%s", step, strings.Join(h.commands[step], "\n"), out)
	}
}

// await types the commands of a step, which change nothing, until they do.
func (h *byHand) await(step runbook.StepID) {
	h.t.Helper()
	var out string
	var err error
	require.Eventually(h.t, func() bool { out, err = h.try(step); return err == nil }, 4*waitForBlock, tick, "%s\n%s", step, &out)
}

// migrate does what an operator does who trusts the commands: no backup, no proof.
func (h *byHand) migrate() {
	h.t.Helper()
	h.do(runbook.StepEnterMaintenance)
	h.await(runbook.StepVerifyMaintenance)
	h.do(runbook.StepBackupStopOrderers, runbook.StepBackupStopBrokers, runbook.StepBackupStartBrokers, runbook.StepBackupStartOrderers)
	h.await(runbook.StepBackupRecheck)
	h.do(runbook.StepSwitchType)
	h.await(runbook.StepSwitchVerify)
	h.do(runbook.StepSwitchGate, runbook.StepRestartStopOrderers, runbook.StepRestartStopBrokers, runbook.StepRestartStartOrderers)
	h.await(runbook.StepVerifyFinal)
	h.do(runbook.StepExitNormal)
	h.await(runbook.StepExitVerify)
}

// The commands are for the operator who has to go on without raftmig, or wants
// to know what it does. So they must work as they stand, with Fabric's own tools.
func TestInteropTheCommandsOfThePlanMigrateANetwork(t *testing.T) {
	net, file := upNet(t, "--channels", "2")
	newByHand(t, net, file).migrate()

	channels := statusOf(t, file).Channels
	require.Len(t, channels, 3)
	metadata := channels[0].Nodes[0].MetadataHash
	for _, c := range channels {
		require.Len(t, c.Nodes, 3)
		for _, n := range c.Nodes {
			require.Equal(t, []string{"", "etcdraft", "STATE_NORMAL", metadata}, []string{n.Error, n.Type, n.State, n.MetadataHash}, "%s on %s", c.Name, n.Node)
			require.NotZero(t, n.Leader)
		}
	}
}

// Where several organizations must sign, the commands sign for them too.
func TestInteropTheCommandsOfThePlanSignForEveryAdministrator(t *testing.T) {
	net, file := upNet(t, "--channels", "1", "--orderer-orgs", "3")
	h := newByHand(t, net, file)
	for _, c := range []struct {
		step       runbook.StepID
		typ, state string
	}{
		{runbook.StepEnterMaintenance, "kafka", "STATE_MAINTENANCE"},
		{runbook.StepExitNormal, "kafka", "STATE_NORMAL"}, // as on the way back
		{runbook.StepEnterMaintenance, "kafka", "STATE_MAINTENANCE"},
		{runbook.StepSwitchType, "etcdraft", "STATE_MAINTENANCE"},
	} {
		require.Equal(t, 2, strings.Count(strings.Join(h.commands[c.step], "\n"), "peer channel signconfigtx"))
		h.do(c.step)
		require.Eventually(t, func() bool {
			for _, channel := range statusOf(t, file).Channels {
				for _, n := range channel.Nodes {
					if n.Type != c.typ || n.State != c.state {
						return false
					}
				}
			}
			return true
		}, waitForBlock, tick, "%s", c.step)
	}
}

// The same window twice: with backup and proof of everything by a run, and by
// the plan's commands with Fabric's tools, which do neither. "make bench-migration".
func BenchmarkMigrationOf20Channels(b *testing.B) {
	up := func(b *testing.B) (net, file string) {
		b.StopTimer()
		defer b.StartTimer()
		return upNet(b, "--channels", "20")
	}
	b.Run("run", func(b *testing.B) {
		for range b.N {
			net, file := up(b)
			r := run(b, nil, "run", "--headless", "--confirm", filepath.Base(net), "--network", file)
			require.Zero(b, r.code, r.stderr)
		}
	})
	b.Run("by hand", func(b *testing.B) {
		for range b.N {
			net, file := up(b)
			newByHand(b, net, file).migrate()
		}
	})
}

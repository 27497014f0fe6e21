package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/testnet"
)

// realBlock is a config block that a real Fabric orderer wrote.
func realBlock(channel string) string {
	return "../../testnet/clone/testdata/2.5.16.kafka." + channel + ".block"
}

// inProcess runs a command line in this process.
func inProcess(args ...string) (code int, stdout, stderr string) {
	root := newRootCommand()
	var out, err bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&err)
	root.SetArgs(args)
	code = execute(root)
	return code, out.String(), err.String()
}

func TestACloneSaysWhatItCouldNotKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "twin")
	args := []string{"testnet", "clone", "--from", realBlock("ch1"), "--from", realBlock("syschannel"), "--dir", dir}
	code, out, stderr := inProcess(args...)
	require.Zero(t, code, stderr)
	require.Contains(t, out, "3 orderers, 1 channel, 2 brokers.\nNot as in the original:\n  - keys and certificates")
	require.Contains(t, out, "Rehearse on it: raftmig rehearse --dir ")
	require.Contains(t, stderr, "note: 2 brokers")

	code, _, stderr = inProcess(args...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "is not empty; nothing was changed")

	args[len(args)-1] = filepath.Join(t.TempDir(), "twin")
	code, out, stderr = inProcess(append(args, "--json")...)
	require.Zero(t, code, stderr)
	var m testnet.Manifest
	require.NoError(t, json.Unmarshal([]byte(out), &m))
	require.Equal(t, []string{realBlock("ch1"), realBlock("syschannel")}, m.Clone.From)
	require.NotEmpty(t, m.Clone.NotKept)
}

func TestBadSourcesOfACloneAreRefused(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.block")
	require.NoError(t, os.WriteFile(bad, []byte("this is no block"), 0o600))
	dir := filepath.Join(t.TempDir(), "twin")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "give either --from with config blocks or --config"},
		{[]string{"--from", realBlock("ch1"), "--config", "raftmig.yaml"}, "give either --from"},
		{[]string{"--from", bad}, "bad.block: "},
		{[]string{"--from", bad + ".gone"}, "no such file"},
		{[]string{"--config", bad + ".gone"}, "reading the inventory"},
		{[]string{"--from", realBlock("ch1"), "--from", realBlock("ch1")}, "are both of channel ch1; give one"},
		{[]string{"--from", realBlock("ch1"), "--kafka", "apache"}, "1 < M < N < K is needed"},
		{[]string{"--from", realBlock("ch1"), "--orderer-bin", bad}, "is not a program"},
	} {
		code, _, stderr := inProcess(append([]string{"testnet", "clone", "--dir", dir}, c.args...)...)
		require.Equal(t, exitUsage, code, c.args)
		require.Contains(t, stderr, c.want)
		require.NoDirExists(t, dir)
	}
}

func TestFlagsOfOtherConsensusTypesAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--no-system-channel"}, "on Kafka channels are created through a system channel; only a network on etcdraft can be without one"},
		{[]string{"--consensus", "etcdraft", "--brokers", "4"}, "a network on etcdraft has no Kafka"},
		{[]string{"--consensus", "etcdraft", "--no-system-channel", "--system-channel", "sys"}, "system channel sys: the network is to have none"},
		{[]string{"--consensus", "raft"}, `consensus "raft": kafka or etcdraft`},
	} {
		code, _, stderr := inProcess(append([]string{"testnet", "init", "--dir", dir}, c.args...)...)
		require.Equal(t, exitUsage, code, c.args)
		require.Contains(t, stderr, c.want)
		require.NoDirExists(t, dir)
	}
	code, out, stderr := inProcess("testnet", "init", "--dir", dir, "--consensus", "etcdraft", "--no-system-channel", "--channel-names", "a,b")
	require.Zero(t, code, stderr)
	require.Contains(t, out, "3 orderers, 2 channels, 0 brokers")
}

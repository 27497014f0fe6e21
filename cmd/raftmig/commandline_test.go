package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// README, "Exit codes": a wrong command line ends with 2 and says where help is.
// One that does nothing must not look as if it had.
func TestAWrongCommandLineEndsWithItsOwnCode(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tc := range []struct {
		args []string
		want string
		help string // the command whose help is named
	}{
		{[]string{"bogus"}, `unknown command "bogus"`, "raftmig"},
		{[]string{"rub"}, `unknown command "rub" for "raftmig"; did you mean run?`, "raftmig"},
		{[]string{"run", "now"}, `unknown command "now"`, "raftmig run"},
		{[]string{"run", "--foo"}, "unknown flag: --foo", "raftmig run"},
		{[]string{"channel", "sumbit", "ch1.tx"}, `unknown command "sumbit" for "raftmig channel"; did you mean submit?`, "raftmig channel"},
		{[]string{"testnet", "bogus"}, `unknown command "bogus"`, "raftmig testnet"},
		{[]string{"testnet", "fault", "kill"}, "accepts 2 arg(s), received 1", "raftmig testnet fault"},
		{[]string{"cryptogen", "bogus"}, `unknown command "bogus"`, "raftmig cryptogen"},
		{[]string{"sign", "ch1.tx", "--msp-id", "Org1MSP"}, "msp-dir", "raftmig sign"},
		{[]string{"help", "bogus"}, `unknown command "bogus" for "raftmig"`, "raftmig help"},
		{[]string{"help", "channel", "sumbit"}, `unknown command "sumbit" for "raftmig channel"; did you mean submit?`, "raftmig help"},
		{[]string{"help", "run", "now"}, `unknown command "now" for "raftmig run"`, "raftmig help"},
		{[]string{"channel", "diff", "a"}, "expected two files", "raftmig channel diff"},
	} {
		code, out, errs := command(t, tc.args...)
		require.Equal(t, exitUsage, code, "%q: %s", tc.args, errs)
		require.Contains(t, errs, tc.want)
		require.Contains(t, errs, "see:  "+tc.help+" --help\n")
		require.Empty(t, out)
	}
	for _, args := range [][]string{nil, {"channel"}, {"testnet"}, {"cryptogen"}, {"channel", "--help"}, {"help"}, {"help", "channel"}, {"help", "channel", "submit"}} {
		code, out, errs := command(t, args...)
		require.Zero(t, code, errs)
		require.Contains(t, out, "Usage:\n  raftmig")
		require.NotContains(t, out, "raftmig channel [flags]", "it does nothing by itself")
	}
	code, _, errs := command(t, "orderer", "bogus")
	require.Equal(t, ordererExitConfig, code, "Fabric's: %s", errs)
}

// Whoever is in the wrong folder is told which one was looked into.
func TestAMissingNetworkOrRunIsSaidWhere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"check", "plan", "status", "run"} {
		code, _, errs := command(t, name)
		require.Equal(t, exitUsage, code, name)
		require.Contains(t, errs, "raftmig.yaml")
		require.Contains(t, errs, "hint: ")
		require.Contains(t, errs, "--network")
	}
	for _, name := range []string{"attach", "abort", "report"} {
		code, _, errs := command(t, name)
		require.Equal(t, exitUsage, code, name)
		require.Contains(t, errs, "there is no run of this network yet")
		require.Contains(t, errs, filepath.Join(dir, "raftmig-runs"), name)
	}
	require.NoError(t, os.WriteFile("raftmig.yaml", []byte("name: 1\nnmae: 2\n"), 0o600))
	code, _, errs := command(t, "check")
	require.Equal(t, exitUsage, code)
	require.NotContains(t, errs, "hint: ", "the file is there")
}

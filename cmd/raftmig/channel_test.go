package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMistakesInChannelCommandsAreNamed(t *testing.T) {
	dir := t.TempDir()
	junk, taken := filepath.Join(dir, "junk"), filepath.Join(dir, "taken.tx")
	require.NoError(t, os.WriteFile(junk, []byte("junk"), 0o600))
	require.NoError(t, os.WriteFile(taken, []byte("signed"), 0o600))
	nowhere := filepath.Join(dir, "nowhere")
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"fetch without a channel", []string{"channel", "fetch"}, "expected the name of a channel, got 0"},
		{"fetch without a network", []string{"channel", "fetch", "ch1", "--network", nowhere}, "there is no description of the network"},
		{"decode of something else", []string{"channel", "decode", junk}, "neither a block nor an envelope"},
		{"decode as the wrong kind", []string{"channel", "decode", junk, "--type", "block"}, "no block: "},
		{"decode as an unknown kind", []string{"channel", "decode", junk, "--type", "letter"}, "block, envelope, update or config"},
		{"decode of no file", []string{"channel", "decode", nowhere}, "no such file"},
		{"diff of one file", []string{"channel", "diff", junk}, "expected two files, got 1"},
		{"diff of something else", []string{"channel", "diff", junk, junk}, "junk: neither a block"},
		{"update of nothing", []string{"channel", "update", "ch1"}, "say what to change"},
		{"update of two things", []string{"channel", "update", "ch1", "switch-type", "--config", junk}, "either a change by name or --config"},
		{"update by an unknown name", []string{"channel", "update", "ch1", "reverse"}, `unknown change "reverse": enter-maintenance, switch-type or exit-maintenance`},
		{"update of a bad channel", []string{"channel", "update", "CH1", "switch-type", "-o", nowhere}, `bad channel name "CH1"`},
		{"update over signatures", []string{"channel", "update", "ch1", "switch-type", "-o", taken}, "taken.tx exists and may have signatures"},
		{"update from a bad block", []string{"channel", "update", "ch1", "enter-maintenance", "--block", junk, "-o", nowhere}, "junk: no block"},
		{"sign without a file", []string{"sign"}, "name the file with the update"},
		{"sign something else", []string{"sign", junk, "--look"}, "junk: neither a block"},
		{"sign as half an identity", []string{"sign", junk, "--msp-id", "OrdererMSP"}, "msp-dir"},
		{"submit without a file", []string{"channel", "submit"}, "name the file with the update"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, errs := command(t, tc.args...)
			require.NotZero(t, code)
			require.Contains(t, errs, tc.want)
			require.Empty(t, out)
			require.NoFileExists(t, nowhere)
		})
	}
}

func TestEveryChannelCommandHasExamplesAndJSON(t *testing.T) {
	commands := append(newChannelCommand().Commands(), newSignCommand())
	require.Len(t, commands, 6)
	for _, c := range commands {
		require.NotEmpty(t, c.Example, c.Name())
		require.NotNil(t, c.Flags().Lookup("json"), c.Name())
	}
}

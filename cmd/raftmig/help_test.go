package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"raftmig/testnet"
)

// everyCommand calls do for every command that people see, but not for those
// that cobra makes.
func everyCommand(t *testing.T, do func(t *testing.T, c *cobra.Command)) {
	t.Helper()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		t.Run(c.CommandPath(), func(t *testing.T) { do(t, c) })
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand())
}

// lines are the commands of an example: comments cut off, pipes taken apart.
func lines(example string) (out []string) {
	for _, line := range strings.Split(example, "\n") {
		if !strings.HasPrefix(line, "  ") { // a sentence
			continue
		}
		line, _, _ = strings.Cut(line, " #")
		for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '|' || r == '&' || r == '>' }) {
			for words := strings.Fields(part); len(words) > 0; words = words[1:] {
				if words[0] == "raftmig" {
					out = append(out, strings.Join(words, " "))
				}
				if !strings.Contains(words[0], "=") { // no variable in front of the command
					break
				}
			}
		}
	}
	return out
}

func TestEveryCommandSaysWhatItDoesAndShowsHow(t *testing.T) {
	everyCommand(t, func(t *testing.T, c *cobra.Command) {
		require.NotEmpty(t, c.Short)
		require.False(t, strings.HasSuffix(c.Short, "."), "a Short is no sentence: %s", c.Short)
		for _, text := range []string{c.Long, c.Example} {
			for _, line := range strings.Split(text, "\n") {
				require.LessOrEqual(t, len([]rune(line)), 120, line)
			}
		}
		if !c.HasParent() {
			require.NotEmpty(t, c.Long)
			return
		}
		require.NotEmpty(t, c.Example, "it has no example")
		require.Contains(t, strings.Join(lines(c.Example), "\n"), c.CommandPath(), "its examples do not show it")
	})
}

// An example that names a command or flag that does not exist is worse than none.
func TestExamplesNameCommandsAndFlagsThatExist(t *testing.T) {
	everyCommand(t, func(t *testing.T, c *cobra.Command) {
		for _, line := range append(lines(c.Example), lines(c.Long)...) {
			args := strings.Fields(line)[1:]
			found, _, err := newRootCommand().Find(args)
			require.NoError(t, err, line)
			if found.HasSubCommands() {
				require.True(t, found.Runnable() || !found.HasParent(), "%s: it ends at %s", line, found.CommandPath())
			}
			if found.DisableFlagParsing {
				continue
			}
			for _, arg := range args {
				name, isFlag := strings.CutPrefix(arg, "--")
				if !isFlag || name == "" {
					continue
				}
				name, _, _ = strings.Cut(name, "=")
				require.NotNil(t, found.Flag(name), "%s: %s has no --%s", line, found.CommandPath(), name)
			}
		}
	})
}

// outputOf runs a command line in this process.
func outputOf(t *testing.T, args ...string) string {
	t.Helper()
	root := newRootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	require.NoError(t, root.Execute(), out.String())
	return out.String()
}

// untypeset takes the typography out of a man page.
func untypeset(page string) string {
	return strings.NewReplacer(`\fB`, "", `\fI`, "", `\fP`, "", `\fR`, "", `\-`, "-", `\&`, "", `\\`, `\`, `\(aq`, "'", `\(en`, "-").Replace(page)
}

func TestManPagesSayWhatHelpSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	require.Contains(t, outputOf(t, "man", "--dir", dir), dir)
	everyCommand(t, func(t *testing.T, c *cobra.Command) {
		data, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		require.NoError(t, err)
		page := strings.Join(strings.Fields(untypeset(string(data))), " ")
		require.Contains(t, page, strings.Join(strings.Fields(c.Short), " "))
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			require.Contains(t, page, strings.Join(strings.Fields(line), " "))
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			require.Contains(t, page, "--"+f.Name)
			require.Contains(t, page, strings.Join(strings.Fields(f.Usage), " "))
		})
	})
	pages, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, page := range pages {
		require.NotContains(t, filepath.Base(page), "raftmig-runner", "it is no command for people")
	}
}

func TestManSaysWhereItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	root := newRootCommand()
	root.SetArgs([]string{"man", "--dir", file})
	root.SetErr(io.Discard)
	require.Equal(t, exitUsage, execute(root))
}

func TestShellsCompleteCommandsAndValues(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		require.Contains(t, outputOf(t, "completion", shell), "raftmig", shell)
	}
	for _, c := range []struct {
		line []string
		want string
	}{
		{[]string{"testnet", "cl"}, "clone\t"},
		{[]string{"rehearse", "--abort-at", ""}, "maintenance\nbackup\nswitch\nrestart\n:4"},
		{[]string{"testnet", "init", "--consensus", ""}, "kafka\netcdraft\n:4"},
		{[]string{"testnet", "clone", "--from", ""}, "block\n:8"},
		{[]string{"testnet", "clone", "--dir", ""}, ":16"},
		{[]string{"check", "--network", ""}, "yaml\nyml\n:8"},
		{[]string{"testnet", "fault", "ki"}, "kill\n"},
		{[]string{"testnet", "fault", "kill", ""}, ":4"},
		{[]string{"report", "--format", ""}, "markdown\nhtml\njson\n:4"},
	} {
		require.Contains(t, outputOf(t, append([]string{"__complete"}, c.line...)...), c.want, c.line)
	}
}

func TestShellsOfferTheNodesOfANetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	_, err := testnet.Init(dir, testnet.Spec{Orderers: 1})
	require.NoError(t, err)
	out := outputOf(t, "__complete", "testnet", "fault", "--dir", dir, "kill", "")
	require.Contains(t, out, "broker\norderer0\n:4")
	for _, operation := range []string{"add", "remove", "rotate-tls"} {
		out = outputOf(t, "__complete", "consenter", operation, "--network", filepath.Join(dir, "raftmig.yaml"), "")
		require.Contains(t, out, "orderer0\n:4", operation)
	}
	for phase := range slices.Values(abortPhases) {
		require.Contains(t, flagChoices["abort-at"], string(phase))
	}
}

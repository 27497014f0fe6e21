package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fence is a block of the page: its language, what else stands behind it, and
// its lines.
type fence struct {
	language, info, body string
	line                 int
}

// fences returns the blocks of a page in order.
func fences(t *testing.T, page string) []fence {
	t.Helper()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	var out []fence
	open := false
	for i, line := range strings.Split(string(data), "\n") {
		switch head, found := strings.CutPrefix(line, "```"); {
		case found && open:
			open = false
		case found:
			language, info, _ := strings.Cut(head, " ")
			out, open = append(out, fence{language: language, info: info, line: i + 1}), true
		case open:
			out[len(out)-1].body += line + "\n"
		}
	}
	require.False(t, open, "the last block has no end")
	return out
}

// play does what the page says, in a folder of its own: writes its files, runs
// its commands, and looks for what it says that they print. A block with a
// variant stands in for the commands before it.
func play(t *testing.T, dir, page, variant string, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	bin := filepath.Join(shortTemp(t), "raftmig")
	require.NoError(t, os.Symlink(binary(t), bin))
	printed, commands := "", 0
	blocks := fences(t, page)
	for i, b := range blocks {
		switch file, isFile := strings.CutPrefix(b.info, "file="); {
		case isFile:
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(b.body), 0o644))
		case b.language == "sh":
			if b.info != "" && b.info != variant || variant != "" && i+2 < len(blocks) && blocks[i+2].info == variant {
				continue
			}
			cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", b.body)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s:%d\n%s\n%s", page, b.line, b.body, out)
			printed = string(out)
			commands += strings.Count(b.body, "raftmig ")
		case b.language == "text":
			for line := range strings.Lines(b.body) {
				if printed == "" { // of commands that another variant stands in for
					continue
				}
				pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(line, "\n")), "…", ".*")
				require.Regexp(t, "(?m)^.*"+strings.TrimLeft(pattern, " \t"), printed, "%s:%d", page, b.line)
			}
			printed = ""
		default:
			t.Errorf("%s:%d: a block of %q is not tested", page, b.line, b.language)
		}
	}
	require.Greater(t, commands, 15)
}

func TestTheWalkthroughWorksAsItStands(t *testing.T) {
	dir := filepath.Dir(netDir(t))
	play(t, dir, "../../docs/walkthrough.md", "", 3*time.Minute)
}

func TestRealKafkaTheWalkthroughWorksToo(t *testing.T) {
	home := kafkaHome(t)
	dir := filepath.Dir(netDir(t))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".cache"), 0o755))
	require.NoError(t, os.Symlink(home, filepath.Join(dir, ".cache", "kafka")))
	play(t, dir, "../../docs/walkthrough.md", "kafka=apache", 8*time.Minute)
}

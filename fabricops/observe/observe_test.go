package observe

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/runbook"
)

func fixture(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".log.gz"))
	require.NoError(t, err)
	defer f.Close()
	zip, err := gzip.NewReader(f)
	require.NoError(t, err)
	b, err := io.ReadAll(zip)
	require.NoError(t, err)
	return string(b)
}

func TestEveryLeaderLineOfRealLogsIsFound(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		for i := range 3 {
			node := fmt.Sprintf("orderer%d", i)
			t.Run(version+" "+node, func(t *testing.T) {
				text := fixture(t, node+"-"+version+".raft")
				leaders := map[string]*runbook.LeaderChange{}
				found, starts, versions := 0, 0, 0
				for line := range strings.Lines(text) {
					l := Parse(node, line)
					if l.Leader != nil {
						found++
						leaders[l.Channel] = l.Leader
						require.Equal(t, "INFO", l.Level)
						require.Equal(t, "orderer.consensus.etcdraft", l.Logger)
						require.Equal(t, 2026, l.At.Year())
					}
					if l.Start {
						starts++
					}
					if l.Version != "" {
						versions++
					}
				}
				require.Equal(t, strings.Count(text, "Raft leader changed"), found)
				require.Equal(t, 1, starts)
				require.Equal(t, 1, versions)
				for _, c := range []string{"syschannel", "ch1"} {
					require.NotNil(t, leaders[c], c)
					require.EqualValues(t, i+1, leaders[c].RaftID)
					require.NotZero(t, leaders[c].To)
				}
			})
		}
	}
}

func TestParse(t *testing.T) {
	at := time.Date(2026, 5, 26, 10, 7, 44, 75e6, time.UTC)
	leader := &runbook.LeaderChange{Channel: "testchannel1", From: 0, To: 1, RaftID: 2}
	for _, tc := range []struct {
		name, line string
		want       runbook.LogLine
	}{
		{
			name: "1.4 and 2.2: the ID after the level",
			line: "2026-05-26 10:07:44.075 UTC [orderer.consensus.etcdraft] run -> INFO 047 Raft leader changed: 0 -> 1 channel=testchannel1 node=2",
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: leader},
		},
		{
			name: "2.5: the ID before the level, in colour",
			line: "\x1b[34m2026-05-26 10:07:44.075 UTC 0047 INFO\x1b[0m [orderer.consensus.etcdraft] \x1b[1mrun\x1b[0m -> Raft leader changed: 0 -> 1 channel=testchannel1 node=2\r\n",
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: leader},
		},
		{
			name: "JSON",
			line: `{"level":"info","ts":1779790064.075,"name":"orderer.consensus.etcdraft","caller":"etcdraft/chain.go:1","msg":"Raft leader changed: 0 -> 1","channel":"testchannel1","node":2}`,
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: leader},
		},
		{
			name: "logfmt",
			line: `ts=1779790064.075 level=info name=orderer.consensus.etcdraft caller=etcdraft/chain.go:1 msg="Raft leader changed: 0 -> 1" channel=testchannel1 node=2`,
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: leader},
		},
		{
			name: "in Docker's json-file",
			line: `{"log":"\u001b[34m2026-05-26 10:07:44.075 UTC 0047 INFO\u001b[0m [orderer.consensus.etcdraft] \u001b[1mrun\u001b[0m -\u003e Raft leader changed: 0 -\u003e 1 channel=testchannel1 node=2\n","stream":"stderr","time":"2026-05-26T10:07:44.0751Z"}`,
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: leader},
		},
		{
			name: "in the log of a CRI runtime",
			line: "2026-05-26T10:07:44.0751Z stderr F 2026-05-26 10:07:44.075 UTC [orderer.consensus.etcdraft] run -> INFO 047 Raft leader changed: 0 -> 1 channel=testchannel1 node=2",
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: leader},
		},
		{
			name: "behind a name that compose puts before it",
			line: "orderer0.example.com  | 2026-05-26 10:07:44.075 UTC 0047 INFO [orderer.consensus.etcdraft] run -> Raft leader changed: 0 -> 1 channel=testchannel1 node=2",
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: leader},
		},
		{
			name: "the leader is lost",
			line: "2026-05-26 10:07:44.075 UTC [orderer.consensus.etcdraft] run -> INFO 048 Raft leader changed: 3 -> 0 channel=testchannel1 node=2",
			want: runbook.LogLine{At: at, Level: "INFO", Channel: "testchannel1", Leader: &runbook.LeaderChange{Channel: "testchannel1", From: 3, RaftID: 2}},
		},
		{
			name: "the Kafka consenter names its channel in brackets",
			line: "2026-05-26 10:07:44.075 UTC 0014 PANI [orderer.consensus.kafka] startThread -> [channel: ch1] Cannot set up channel consumer = kafka server: x",
			want: runbook.LogLine{At: at, Level: "PANIC", Channel: "ch1"},
		},
		{
			name: "a refused client in maintenance is expected",
			line: "2026-05-26 10:07:44.075 UTC 0015 WARN [orderer.common.broadcast] ProcessMessage -> [channel: ch1] Rejecting broadcast of normal message from 10.0.0.1:4711 with SERVICE_UNAVAILABLE: rejected by Order: normal transactions are rejected: maintenance mode",
			want: runbook.LogLine{At: at, Level: "WARN", Channel: "ch1", Expected: true},
		},
		{
			name: "a full disk is not expected",
			line: "2026-05-26 10:07:44.075 UTC 0016 ERRO [orderer.consensus.etcdraft] run -> no space left on device channel=ch1 node=1",
			want: runbook.LogLine{At: at, Level: "ERROR", Channel: "ch1"},
		},
		{
			name: "a file that may not be opened is not expected",
			line: "2026-05-26 10:07:44.075 UTC 0017 ERRO [orderer.consensus.etcdraft] run -> open /wal: permission denied channel=ch1 node=1",
			want: runbook.LogLine{At: at, Level: "ERROR", Channel: "ch1"},
		},
		{name: "a panic of the Go runtime", line: "panic: runtime error: index out of range", want: runbook.LogLine{Level: "PANIC"}},
		{name: "the rest of a longer message", line: "\tGeneral.ListenPort = 7050", want: runbook.LogLine{}},
		{name: "an empty line", line: "", want: runbook.LogLine{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Parse("o0", tc.line)
			require.NotContains(t, got.Text, "\x1b")
			tc.want.Node, tc.want.Text = "o0", got.Text
			require.Equal(t, tc.want, got.LogLine)
		})
	}
}

func TestVersionIsFoundInAnyWrapping(t *testing.T) {
	for _, line := range []string{" Version: 2.2.15", `{"log":" Version: 2.2.15\n","stream":"stderr"}`, "2026-05-26T10:07:44Z stderr F  Version: 2.2.15"} {
		require.Equal(t, "2.2.15", Parse("o0", line).Version, line)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-05-26 10:07:44.075 UTC 0014 PANI [a] b -> c")
	f.Add(`{"level":1,"ts":"x"}`)
	f.Add("ts=x msg=\"")
	f.Fuzz(func(t *testing.T, line string) {
		if l := Parse("n", line); strings.Contains(line, "\n") == false && l.Node != "n" {
			t.Fatal("the node is lost")
		}
	})
}

// However a log is written in pieces, the follower gives the lines that are in it.
func TestFollowerGivesWholeLines(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.StringMatching(`[a-z ]{0,40}\n`)).Draw(rt, "lines"), "")
		path := filepath.Join(t.TempDir(), "log")
		require.NoError(rt, os.WriteFile(path, nil, 0o600))
		f := &follower{path: path}
		defer f.close()
		var got strings.Builder
		line := func(s string) { got.WriteString(s + "\n") }
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(rt, err)
		defer file.Close()
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "piece")
			_, err := file.WriteString(rest[:n])
			require.NoError(rt, err)
			rest = rest[n:]
			_, err = f.read(line)
			require.NoError(rt, err)
		}
		require.Equal(rt, text, got.String())
	})
}

func TestFollowerGoesOnAfterRotationAndTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := func(s string) { require.NoError(t, os.WriteFile(path, []byte(s), 0o600)) }
	write("one\ntwo\n")
	f := &follower{path: path}
	defer f.close()
	var got []string
	read := func() {
		_, err := f.read(func(s string) { got = append(got, s) })
		require.NoError(t, err)
	}
	read()
	require.NoError(t, os.Rename(path, path+".1"))
	read() // between the two halves of a rotation
	write("three\n")
	read()
	read()
	write("x\n") // truncated in place and shorter
	read()
	read()
	require.Equal(t, []string{"one", "two", "three", "x"}, got)
}

func TestFollowerCutsEndlessLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", 3*maxLine)+"\nshort\n"), 0o600))
	f := &follower{path: path}
	defer f.close()
	var got []string
	_, err := f.read(func(s string) { got = append(got, s) })
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Len(t, got[0], maxLine)
	require.Equal(t, "short", got[1])
}

func TestObserverKeepsLeadersOfTheRunningProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orderer0.log")
	require.NoError(t, os.WriteFile(path, []byte(fixture(t, "orderer0-2.5.16.raft")), 0o600))
	o := New([]Source{{Node: "orderer0", File: path}, {Node: "orderer1"}})
	defer o.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, o.CaughtUp(ctx))
	leader := func(node, channel string) uint64 {
		id, _ := o.Leader(node, channel)
		return id
	}
	require.EqualValues(t, 2, leader("orderer0", "syschannel"))
	require.EqualValues(t, 1, leader("orderer0", "ch1"))
	require.Empty(t, o.Trouble("orderer0"))
	require.Equal(t, "latest", o.Version("orderer0"))
	require.Zero(t, leader("orderer1", "ch1"))
	require.Empty(t, o.Lines(), "what was logged before is not repeated")

	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	next := func(line string) runbook.LogLine {
		_, err := f.WriteString(line + "\n")
		require.NoError(t, err)
		select {
		case l := <-o.Lines():
			return l
		case <-ctx.Done():
			t.Fatal("no line came")
			return runbook.LogLine{}
		}
	}
	l := next("2026-11-22 02:00:00.000 UTC 0060 INFO [orderer.consensus.etcdraft] run -> Raft leader changed: 1 -> 3 channel=ch1 node=1")
	require.EqualValues(t, 3, l.Leader.To)
	require.EqualValues(t, 3, leader("orderer0", "ch1"))
	next("2026-11-22 02:00:00.000 UTC 0061 PANI [orderer.consensus.etcdraft] run -> tocommit(25) is out of range channel=ch1 node=1")
	require.Contains(t, o.Died("orderer0"), "tocommit(25)")
	next("2026-11-22 02:00:01.000 UTC 0001 INFO [orderer.common.server] prettyPrintStruct -> Orderer config values:")
	_, known := o.Leader("orderer0", "ch1")
	require.False(t, known, "a new process knows no leader yet")
	require.Empty(t, o.Died("orderer0"))
	require.Equal(t, "latest", o.Version("orderer0"))
	next("2026-11-22 02:00:02.000 UTC 0002 INFO [orderer.consensus.etcdraft] run -> Raft leader changed: 0 -> 2 channel=ch1 node=1")
	o.Stopped("orderer0")
	_, known = o.Leader("orderer0", "ch1")
	require.False(t, known)
}

func TestObserverDropsTheOldestLinesForASlowReader(t *testing.T) {
	o := &Observer{lines: make(chan runbook.LogLine, 2), nodes: map[string]*nodeView{"n": newView()}}
	for i := range 5 {
		o.take("n", fmt.Sprint(i), true)
	}
	require.Equal(t, "3", (<-o.lines).Text)
	require.Equal(t, "4", (<-o.lines).Text)
}

func TestLogsThatCannotTellLeaders(t *testing.T) {
	dir := t.TempDir()
	quiet := filepath.Join(dir, "quiet.log")
	require.NoError(t, os.WriteFile(quiet, []byte("2026-05-26 10:07:44.075 UTC 0016 WARN [x] y -> z\n"), 0o600))
	o := New([]Source{{Node: "quiet", File: quiet}, {Node: "absent", File: filepath.Join(dir, "absent.log")}, {Node: "folder", File: dir}, {Node: "none"}})
	defer o.Close()
	require.NoError(t, o.CaughtUp(t.Context()))
	require.Contains(t, o.Trouble("quiet"), "no line of level INFO")
	require.Contains(t, o.Trouble("absent"), "no such file")
	require.Contains(t, o.Trouble("folder"), "is a directory")
	require.Empty(t, o.Trouble("none"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "absent.log"), []byte("2026-05-26 10:07:44.075 UTC 0016 INFO [x] y -> z\n"), 0o600))
	require.Eventually(t, func() bool { return o.Trouble("absent") == "" }, 5*time.Second, 10*time.Millisecond)
}

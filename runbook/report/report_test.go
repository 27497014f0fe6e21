package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// snapshot returns the end of a simulated run.
func snapshot(t *testing.T, change func(*runbook.Plan, *runbooktest.Network)) runbook.Snapshot {
	t.Helper()
	n := runbooktest.New(runbooktest.Options{Channels: []string{"ch1"}})
	p := n.Plan()
	change(&p, n)
	r, err := runbooktest.NewRun(n, p)
	require.NoError(t, err)
	require.NoError(t, r.Finish())
	return r.Book.Snapshot()
}

func migrated(*runbook.Plan, *runbooktest.Network) {}

func failed(p *runbook.Plan, n *runbooktest.Network) {
	p.Unattended, p.Network = true, "net<b>|_x_"
	n.NoLeader("ch1", true)
}

func TestTheDocumentHasTheFieldsThatScriptsReadAndNoOthers(t *testing.T) {
	d := New(snapshot(t, migrated), &Transactions{Acknowledged: 5, Committed: 5})
	data, err := json.Marshal(d)
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, "migrated", got["result"])
	require.Equal(t, map[string]any{"acknowledged": 5., "committed": 5., "missing": 0., "duplicated": 0.}, got["transactions"])

	steps := got["steps"].([]any)
	require.Len(t, steps, 28)
	first := steps[0].(map[string]any)
	require.Equal(t, "prepare.reach", first["id"])
	require.Equal(t, "prepare", first["phase"])
	require.Equal(t, "done", first["status"])
	require.Greater(t, first["seconds"], 0.)
	require.Equal(t, "processes read", first["evidence"].([]any)[0].(map[string]any)["summary"])

	channels := got["channels"].([]any)
	require.Len(t, channels, 2)
	system := channels[0].(map[string]any)
	require.Equal(t, runbooktest.SystemChannel, system["name"])
	require.Equal(t, true, system["system"])
	node := system["nodes"].([]any)[2].(map[string]any)
	require.Equal(t, "orderer2", node["node"])
	require.Equal(t, "etcdraft", node["type"])
	require.Equal(t, "STATE_NORMAL", node["state"])
	require.Equal(t, 1., node["leader"])
	for _, key := range []string{"height", "last_block_hash", "config_sequence"} {
		require.NotZero(t, node[key], key)
	}
	for _, p := range runbook.Phases {
		require.Contains(t, got["seconds"], string(p))
	}
}

func TestARunThatWasRolledBackForAFailureSaysBoth(t *testing.T) {
	d := New(snapshot(t, failed), nil)
	require.Equal(t, "rolled-back", d.Result)
	require.Equal(t, "no leader is known", d.Problem.What)
	require.Nil(t, d.Transactions)
	require.Contains(t, d.Seconds, "rollback")
}

func TestARunThatHasNotEndedIsUnfinished(t *testing.T) {
	require.Equal(t, Unfinished, New(runbook.Snapshot{}, nil).Result)
}

func TestFactsAreLeftOutBecauseTheFindingsSayWhatTheyMean(t *testing.T) {
	for _, s := range New(snapshot(t, migrated), nil).Steps {
		for _, ev := range s.Evidence {
			require.Nil(t, ev.Facts)
		}
	}
}

func TestReportsAreAsExpected(t *testing.T) {
	for name, change := range map[string]func(*runbook.Plan, *runbooktest.Network){"migrated": migrated, "failed": failed} {
		s := snapshot(t, change)
		var md, html bytes.Buffer
		require.NoError(t, Markdown(&md, s))
		require.NoError(t, HTML(&html, s))
		compare(t, name+".md", md.Bytes())
		compare(t, name+".html", html.Bytes())
	}
	var md, html bytes.Buffer
	s := operated(t, true)
	require.NoError(t, Markdown(&md, s))
	require.NoError(t, HTML(&html, s))
	compare(t, "operated.md", md.Bytes())
	compare(t, "operated.html", html.Bytes())
}

// operated is the end of a run that adds a consenter, or of one that was ended
// before it did anything.
func operated(t *testing.T, finish bool) runbook.Snapshot {
	t.Helper()
	n := runbooktest.New(runbooktest.Options{Raft: true, Orderers: 3, Spare: 1, Channels: []string{"ch1"}})
	p := n.Plan()
	at := runbooktest.Endpoint("orderer3")
	p.Operation = &runbook.Operation{Kind: runbook.AddConsenter, Node: "orderer3", Consenter: at, Endpoint: at}
	r, err := runbooktest.NewRun(n, p)
	require.NoError(t, err)
	if finish {
		require.NoError(t, r.Finish())
	} else {
		require.NoError(t, r.Continue())
		require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort, By: "me@here"}))
	}
	return r.Book.Snapshot()
}

func TestAnOperationIsReportedInItsOwnWords(t *testing.T) {
	require.Equal(t, "done", New(operated(t, true), nil).Result)
	ended := operated(t, false)
	require.Equal(t, "rolled-back", New(ended, nil).Result)
	var md bytes.Buffer
	require.NoError(t, Markdown(&md, ended))
	require.Contains(t, md.String(), "The run was ended before anything was changed.")
	require.NotContains(t, md.String(), "Kafka")
	for _, kind := range []runbook.OperationKind{runbook.AddConsenter, runbook.RemoveConsenter, runbook.RotateCertificates, runbook.SetOptions} {
		require.NotEmpty(t, afterOperation(runbook.Operation{Kind: kind}), kind)
		require.NotEmpty(t, afterOperation(runbook.Operation{Kind: kind, ByHand: true}), kind)
	}
}

// compare compares with a file; with UPDATE_GOLDEN=1 it writes the file.
func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func TestNamesCannotBreakOutOfAReport(t *testing.T) {
	s := snapshot(t, failed)
	var md, html bytes.Buffer
	require.NoError(t, Markdown(&md, s))
	require.NoError(t, HTML(&html, s))
	require.NotContains(t, md.String(), "<b>")
	require.NotContains(t, html.String(), "<b>")
	require.Contains(t, html.String(), "net&lt;b&gt;|_x_")
	for _, outside := range []string{"src=", "href=", "<script", "url("} {
		require.False(t, strings.Contains(html.String(), outside), outside)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	require.ErrorIs(t, Markdown(brokenWriter{}, runbook.Snapshot{}), os.ErrClosed)
	require.ErrorIs(t, HTML(brokenWriter{}, runbook.Snapshot{}), os.ErrClosed)
}

package present

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/runbook"
)

func TestForeignTextBecomesHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"tab\tand\nline":               "tab and line",
		"\x1b[2J\x1b[31mred\x1b[0m":    "red",
		"\x1b]0;title\x07after":        "after",
		"bell\a and back\b":            "bell? and back?",
		"c1 \u009b31m":                 "c1",
		"right \u202e to left":         "right ? to left",
		"broken \xff\xfe":              "broken \ufffd",
		"umlaut ü and 中":               "umlaut ü and 中",
		"trailing   ":                  "trailing   ",
		"trailing after escape \x1b[m": "trailing after escape",
	} {
		got := Clean(in)
		if strings.HasPrefix(in, "broken") {
			require.True(t, utf8.ValidString(got))
			require.True(t, strings.HasPrefix(got, "broken"))
			continue
		}
		if strings.HasPrefix(in, "c1") {
			require.NotContains(t, got, "\u009b")
			continue
		}
		require.Equal(t, want, got, "%q", in)
	}
}

func TestCleanTextHoldsNoControlCharacter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(rt, "in"))
		if !utf8.ValidString(Clean(in)) {
			rt.Fatalf("%q becomes invalid UTF-8", in)
		}
		for _, r := range Clean(in) {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				rt.Fatalf("%q leaves %q", in, r)
			}
		}
	})
}

func TestTimesAreSaidInTwoUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 999 * time.Millisecond: "0s", 12 * time.Second: "12s", 192 * time.Second: "3m12s", 2*time.Hour + 5*time.Minute + 59*time.Second: "2h05m",
	} {
		require.Equal(t, want, Duration(d))
	}
	for d, want := range map[time.Duration]string{
		0: "", 200 * time.Millisecond: "about 1s", 8 * time.Second: "about 8s", 12 * time.Second: "about 10s", 60 * time.Second: "about 1m",
		170 * time.Second: "about 3m", 90 * time.Minute: "about 1h30m",
	} {
		require.Equal(t, want, About(d))
	}
	now := time.Date(2026, 3, 14, 22, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", 9 * time.Second: "just now", 25 * time.Second: "20s ago", 61 * time.Second: "1m ago", 3 * time.Hour: "3h00m ago", -time.Minute: "just now",
	} {
		require.Equal(t, want, Age(now, now.Add(-d)))
	}
	require.Equal(t, "never", Age(now, time.Time{}))
	require.Equal(t, "22:00:00 UTC", Clock(now, time.UTC))
	require.Equal(t, "22:00:00 UTC (23:00:00 CET)", Clock(now, time.FixedZone("CET", 3600)))
	require.Equal(t, "-", Clock(time.Time{}, nil))
	require.Equal(t, "0.4s", Seconds(0.42))
	require.Equal(t, "1m05s", Seconds(65.2))
	require.Equal(t, "812 B", Bytes(812))
	require.Equal(t, "61.2 MB", Bytes(61_200_000))
	require.Equal(t, "5d1f0c9a", Short("5d1f0c9a77"))
	require.Equal(t, "-", Short(""))
}

func snap(change func(*runbook.Snapshot)) *runbook.Snapshot {
	s := &runbook.Snapshot{Current: 0, Phase: runbook.PhaseSwitch, Steps: []runbook.StepView{
		{ID: runbook.StepSwitchType, Phase: runbook.PhaseSwitch, Status: runbook.StatusRunning},
		{ID: runbook.StepRestartLeaders, Phase: runbook.PhaseRestart, Status: runbook.StatusPending},
	}}
	if change != nil {
		change(s)
	}
	return s
}

func TestTheMoodOfARun(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*runbook.Snapshot)
		lost   bool
		want   Mood
	}{
		{"a step runs", nil, false, MoodRunning},
		{"at a gate", func(s *runbook.Snapshot) { s.Gate = &runbook.Gate{} }, false, MoodWaiting},
		{"the current step failed", func(s *runbook.Snapshot) { s.Steps[0].Status = runbook.StatusFailed }, false, MoodStill},
		{"a rollback keeps the problem it is for, and runs", func(s *runbook.Snapshot) {
			s.Phase, s.Problem = runbook.PhaseRollback, &runbook.Problem{What: "x"}
		}, false, MoodRollingBack},
		{"no step and a problem", func(s *runbook.Snapshot) { s.Current, s.Problem = -1, &runbook.Problem{} }, false, MoodStill},
		{"an unattended run turns back by itself", func(s *runbook.Snapshot) {
			s.Steps[0].Status, s.Plan.Unattended = runbook.StatusFailed, true
		}, false, MoodRunning},
		{"an unattended run waits for people all the same", func(s *runbook.Snapshot) {
			s.Steps[0].Status, s.Plan.Unattended, s.Awaited = runbook.StatusFailed, true, []runbook.SignatureState{{Channel: "ch1"}}
		}, false, MoodStill},
		{"an unattended run passes its gates", func(s *runbook.Snapshot) { s.Gate, s.Plan.Unattended = &runbook.Gate{}, true }, false, MoodRunning},
		{"the connection is gone", nil, true, MoodLost},
		{"the run ended before the connection did", func(s *runbook.Snapshot) { s.Outcome = runbook.OutcomeMigrated }, true, MoodMigrated},
		{"rolled back", func(s *runbook.Snapshot) { s.Outcome = runbook.OutcomeRolledBack }, false, MoodRolledBack},
		{"failed", func(s *runbook.Snapshot) { s.Outcome = runbook.OutcomeFailed }, false, MoodFailed},
	} {
		require.Equal(t, c.want, MoodOf(snap(c.change), c.lost), c.name)
	}
	require.Equal(t, MoodConnecting, MoodOf(nil, false))
	require.Equal(t, MoodLost, MoodOf(nil, true))
}

func TestTheWayBackIsAlwaysSaid(t *testing.T) {
	for _, c := range []struct {
		change func(*runbook.Snapshot)
		want   string
	}{
		{func(s *runbook.Snapshot) { s.AbortOffered, s.AbortNote = true, "Going back only ends the run." }, "way back: open - only ends the run."},
		{func(s *runbook.Snapshot) { s.AbortOffered = true }, "way back: open"},
		{func(s *runbook.Snapshot) { s.AbortNote = "No way back: an update was submitted." }, "way back: closed - an update was submitted."},
		{func(s *runbook.Snapshot) {
			s.AbortAsked, s.AbortNote = true, "No way back: the way back was asked for already; what is being done ends first."
		}, "way back: asked for - what is being done ends first"},
		{func(s *runbook.Snapshot) { s.Phase = runbook.PhaseRollback }, "way back: being taken"},
		{func(s *runbook.Snapshot) { s.Outcome = runbook.OutcomeRolledBack }, "way back: taken - the network is back on Kafka"},
	} {
		require.Equal(t, c.want, WayBack(snap(c.change)).String())
	}
	require.Equal(t, "way back: not known yet", WayBack(nil).String())
	require.Equal(t, "way back: open - one.", FirstSentence(WayBack(snap(func(s *runbook.Snapshot) {
		s.AbortOffered, s.AbortNote = true, "One. Two."
	}))).String())
}

func node(change func(*runbook.NodeState)) runbook.NodeState {
	n := runbook.NodeState{Node: "orderer0", Type: "etcdraft", State: "STATE_MAINTENANCE", Height: 7, LastBlockHash: "aa", ConfigSequence: 5, MetadataHash: "bb", Leader: 1}
	if change != nil {
		change(&n)
	}
	return n
}

func TestANodeThatStandsOutIsNamedByWord(t *testing.T) {
	for _, c := range []struct {
		change func(*runbook.NodeState)
		want   string
	}{
		{nil, "ok"},
		{func(n *runbook.NodeState) { n.Error = "timeout" }, "NO ANSWER"},
		{func(n *runbook.NodeState) { n.Type = "kafka" }, "TYPE kafka"},
		{func(n *runbook.NodeState) { n.Height = 5 }, "BEHIND 2"},
		{func(n *runbook.NodeState) { n.Height = 9 }, "AHEAD 2"},
		{func(n *runbook.NodeState) { n.State = "STATE_NORMAL" }, "STATE normal"},
		{func(n *runbook.NodeState) { n.LastBlockHash = "cc" }, "HASH DIFFERS"},
		{func(n *runbook.NodeState) { n.ConfigSequence = 4 }, "SEQ 4"},
		{func(n *runbook.NodeState) { n.MetadataHash = "" }, "METADATA DIFFERS"},
		{func(n *runbook.NodeState) { n.Leader = 0 }, "NO LEADER"},
		{func(n *runbook.NodeState) { n.Leader = 2 }, "LEADER 2"},
	} {
		v := NodeVerdict(node(c.change), node(nil), true)
		require.Equal(t, c.want, v.Text)
		require.Equal(t, c.want == "ok", v.Tone == Good)
	}
	require.Equal(t, "ok", NodeVerdict(node(func(n *runbook.NodeState) { n.Leader = 0 }), node(nil), false).Text, "no leader is due before the restart")
}

func TestTheMajorityIsWhatAChannelShows(t *testing.T) {
	late := node(func(n *runbook.NodeState) { n.Height = 3 })
	gone := node(func(n *runbook.NodeState) { n.Error, n.Height = "down", 99 })
	c, ok := Common(runbook.ChannelState{Nodes: []runbook.NodeState{late, node(nil), node(nil)}})
	require.True(t, ok)
	require.EqualValues(t, 7, c.Height)
	c, _ = Common(runbook.ChannelState{Nodes: []runbook.NodeState{late, node(nil)}})
	require.EqualValues(t, 7, c.Height, "a tie goes to the higher ledger")
	c, _ = Common(runbook.ChannelState{Nodes: []runbook.NodeState{gone, late}})
	require.EqualValues(t, 3, c.Height, "a node without an answer has no vote")
	_, ok = Common(runbook.ChannelState{Nodes: []runbook.NodeState{gone}})
	require.False(t, ok)
}

func TestALogLineIsCutIntoColumns(t *testing.T) {
	at := time.Date(2026, 3, 14, 23, 0, 1, 0, time.FixedZone("CET", 3600))
	fabric := "2026-03-14 22:00:01.123 UTC [orderer.consensus.etcdraft] run -> INFO 05a Raft leader changed: 0 -> 1 channel=ch1 node=1"
	r := LogRowOf(runbook.LogLine{Node: "orderer0", At: at, Level: "INFO", Text: fabric, Leader: &runbook.LeaderChange{}})
	require.Equal(t, LogRow{Kind: LogLeader, Time: "22:00:01", Node: "orderer0", Label: "LEADER",
		Text: "Raft leader changed: 0 -> 1 channel=ch1 node=1", Full: fabric}, r)
	r = LogRowOf(runbook.LogLine{Node: "orderer0", Level: "WARN", Text: "\x1b[33mrefused\x1b[0m", Expected: true})
	require.Equal(t, "EXPECTED", r.Label)
	require.Equal(t, "refused", r.Text)
	for _, line := range []string{
		"2026-03-14 22:00:01.367 UTC 0079 INFO [comm.grpc.server] 1 -> streaming call completed",
		"2026-03-14 22:00:01.367 UTC 1a2b3 WARN [orderer.common.broadcast] Handle -> streaming call completed",
		"2026-03-14 22:00:01.367 UTC [comm.grpc.server] 1 -> INFO 05a streaming call completed",
		"2026-03-14 22:00:01.367 UTC 0079 INFO [comm.grpc.server]  -> streaming call completed",
	} {
		require.Equal(t, "streaming call completed", LogRowOf(runbook.LogLine{Text: line}).Text, line)
	}
	require.Equal(t, LogRoutine, LogRowOf(runbook.LogLine{Level: "INFO", Text: "2026-03-14 22:00:01.367 UTC 0079 INFO [comm.grpc.server] 1 -> streaming call completed"}).Kind)
	require.Equal(t, LogRoutine, LogRowOf(runbook.LogLine{Level: "INFO", Text: "2026-03-14 22:00:01.367 UTC [comm.grpc.server] 1 -> INFO 05a streaming call completed"}).Kind)
	require.Equal(t, LogWarning, LogRowOf(runbook.LogLine{Level: "WARN", Text: "2026-03-14 22:00:01.367 UTC 0079 WARN [comm.grpc.server] 1 -> no"}).Kind)
	require.Equal(t, LogError, LogRowOf(runbook.LogLine{Level: "PANIC"}).Kind)
	require.Equal(t, LogWarning, LogRowOf(runbook.LogLine{Level: "WARN"}).Kind)
	require.Equal(t, "some other format", LogRowOf(runbook.LogLine{Text: "some other format"}).Text)
}

func TestAFilterWantsAllItsWords(t *testing.T) {
	r := LogRow{Node: "orderer0", Label: "LEADER", Full: "Raft leader changed channel=ch1"}
	for filter, want := range map[string]bool{"": true, "raft": true, "RAFT ch1": true, "orderer0 leader": true, "orderer1": false, "raft orderer1": false} {
		require.Equal(t, want, r.Match(filter), filter)
	}
}

func TestASevereGateAlwaysWantsTheName(t *testing.T) {
	s := snap(func(s *runbook.Snapshot) { s.Plan.Network = "net"; s.Gate = &runbook.Gate{Severe: true} })
	require.Equal(t, "net", GateTyped(s))
	s.Gate.Typed = "other"
	require.Equal(t, "other", GateTyped(s))
	s.Gate = &runbook.Gate{}
	require.Empty(t, GateTyped(s))
}

func TestNoAnswerThatChangesSomethingIsTheDefault(t *testing.T) {
	s := snap(func(s *runbook.Snapshot) { s.Gate, s.Problem = &runbook.Gate{}, &runbook.Problem{What: "x"} })
	severe := snap(func(s *runbook.Snapshot) { s.Gate = &runbook.Gate{Severe: true, Typed: "net"} })
	for _, d := range []DialogText{
		GateDialog(s, nil, ""), GateDialog(severe, nil, ""), AbortDialog(s, ""), ProblemDialog(s, "", "", ""), GiveUpDialog(s, ""), LeaveDialog(),
		LostDialog(s, "", time.Time{}, nil, "", ""),
	} {
		require.Equal(t, "n", d.Choice[0].Key, d.Title)
		require.Empty(t, d.Choice[0].Off, d.Title)
		keys := map[string]bool{}
		for _, c := range d.Choice {
			require.False(t, keys[c.Key], "%s: key %s twice", d.Title, c.Key)
			keys[c.Key] = true
		}
	}
}

func TestStepsUnfoldAsFarAsThereIsRoom(t *testing.T) {
	s := &runbook.Snapshot{Current: 3}
	for _, p := range []runbook.Phase{"a", "b", "c", "d"} {
		for _, n := range []string{"1", "2", "3"} {
			s.Steps = append(s.Steps, runbook.StepView{ID: runbook.StepID(string(p) + "." + n), Phase: p, Status: runbook.StatusPending})
		}
	}
	show := func(focus, height int) string {
		var out []string
		for _, r := range StepRows(s, time.Time{}, focus, height) {
			out = append(out, r.Name)
		}
		return strings.Join(out, " ")
	}
	require.Equal(t, "a b 1 2 3 c d", show(3, 0), "the current phase is unfolded at any rate")
	require.Equal(t, "a b 1 2 3 c d", show(3, 9))
	require.Equal(t, "a b 1 2 3 c 1 2 3 d", show(3, 10))
	require.Equal(t, "a 1 2 3 b 1 2 3 c 1 2 3 d 1 2 3", show(3, 16))
	require.Equal(t, "a b 1 2 3 c d 1 2 3", show(9, 10), "so is the phase of the selected step")
}

func TestStepsLeftOutByARollbackAreNotCountedAsDone(t *testing.T) {
	s := &runbook.Snapshot{Current: 2, Phase: runbook.PhaseSwitch, Steps: []runbook.StepView{
		{ID: "backup.a", Phase: runbook.PhaseBackup, Status: runbook.StatusDone}, {ID: "backup.b", Phase: runbook.PhaseBackup, Status: runbook.StatusSkipped},
		{ID: "switch.a", Phase: runbook.PhaseSwitch, Status: runbook.StatusRunning},
	}}
	phase := func() StepRow { return StepRows(s, time.Time{}, 2, 0)[0] }
	require.Equal(t, "2/2", phase().Detail, "a step with nothing to do is done")
	require.Equal(t, runbook.StatusDone, phase().Status)
	s.Phase = runbook.PhaseRollback
	require.Equal(t, "1/2", phase().Detail)
	require.Equal(t, runbook.StatusSkipped, phase().Status)
	s.Steps[0].Status = runbook.StatusSkipped
	require.Equal(t, "skipped", phase().Detail)
}

func TestAFailedCheckIsToldWithWhatToDo(t *testing.T) {
	s := &runbook.Snapshot{Phase: runbook.PhasePrepare, Steps: []runbook.StepView{{ID: runbook.StepPreflight, Phase: runbook.PhasePrepare,
		Status: runbook.StatusFailed, Problem: &runbook.Problem{What: "1 check failed"}}},
		Findings: []runbook.Finding{{Check: "tls.trusted", Severity: runbook.SeverityError, Summary: "not trusted", Evidence: []string{"orderer2"}, Hint: "add the CA"},
			{Check: "clock", Severity: runbook.SeverityOK}}}
	require.Equal(t, []string{
		"network , run -: prepare, step 1 of 1", "[1/1] prepare.preflight: FAILED", "    problem: 1 check failed",
		"    FAIL tls.trusted: not trusted", "         orderer2", "         do: add the CA", "way back: closed",
	}, Announce(nil, s, false))
}

func TestWhoseSignatureAnUpdateLacksIsTold(t *testing.T) {
	s := &runbook.Snapshot{Phase: runbook.PhaseMaintenance, Steps: []runbook.StepView{{ID: runbook.StepEnterMaintenance, Phase: runbook.PhaseMaintenance,
		Status: runbook.StatusFailed, Problem: &runbook.Problem{What: "it waits", Waits: runbook.WaitsForSignatures}}}}
	for i := range mostAwaited + 2 {
		s.Awaited = append(s.Awaited, runbook.SignatureState{Channel: fmt.Sprintf("ch%d", i), File: "f.tx", Why: "too few", Missing: []string{"Org2MSP"}})
	}
	s.Awaited[0].SignedBy, s.Awaited[0].Renewed = []string{"Org1MSP"}, true
	lines := Announce(nil, s, false)
	require.Equal(t, []string{
		"[1/1] maintenance.enter: WAITS for signatures", "    problem: it waits",
		"    update: ch0: signed by Org1MSP, not by Org2MSP; exported anew; f.tx",
		"    update: ch1: signed by nobody, not by Org2MSP; f.tx",
	}, lines[1:5])
	require.Equal(t, "    and 2 updates more", lines[len(lines)-2])
}

func TestCopyingIsToldByQuarters(t *testing.T) {
	at := func(done int64) *runbook.Progress {
		return &runbook.Progress{Effect: "backup.copy#1", Done: done, Total: 100, Unit: "bytes"}
	}
	require.Empty(t, Quarter(nil, at(24)))
	require.Contains(t, Quarter(at(24), at(25)), "25%")
	require.Empty(t, Quarter(at(25), at(49)))
	require.Contains(t, Quarter(at(25), at(80)), "75%")
	require.Empty(t, Quarter(nil, &runbook.Progress{Done: 3, Total: 4, Unit: "channels"}))
	require.Empty(t, Quarter(nil, nil))
}

func TestWhatKeepsEffectsFromGoingOnIsToldOnce(t *testing.T) {
	var n Notices
	alarm := func(id runbook.EffectID, text string) *runbook.Progress {
		return &runbook.Progress{Effect: id, Text: text, Alarm: true, Done: 1, Total: 3, Unit: "channels"}
	}
	at := func(id runbook.EffectID, text string) *runbook.Progress {
		return &runbook.Progress{Effect: id, Text: text}
	}
	for i, c := range []struct {
		p    *runbook.Progress
		want string
	}{
		{nil, ""}, {at("a", "sending"), ""},
		{alarm("a", "no answer for 0s"), "    WAITS: no answer for 0s"},
		{alarm("b", "no answer for 1s"), ""}, {alarm("a", "no answer for 2s"), ""}, {at("c", "sending"), ""},
		{at("a", "it answers again"), ""}, {at("b", "it answers again"), "    it answers again"},
		{alarm("b", "no answer for 0s"), "    WAITS: no answer for 0s"},
	} {
		require.Equal(t, c.want, n.Progress(c.p), "%d", i)
	}
	n.Snapshot(&runbook.Snapshot{Active: []runbook.Effect{{ID: "b"}}})
	require.Empty(t, n.Progress(alarm("d", "no answer")))
	n.Snapshot(&runbook.Snapshot{})
	require.NotEmpty(t, n.Progress(alarm("e", "no answer")), "those before have failed")
	require.Equal(t, float64(-1), Fraction(alarm("a", "")))
}

func TestFindingsAreListedWorstFirst(t *testing.T) {
	items := FindingItems([]runbook.Finding{
		{Check: "a", Severity: runbook.SeverityOK}, {Check: "b", Severity: runbook.SeverityWarn, Hint: "mend it"}, {Check: "c", Severity: runbook.SeverityError, Evidence: []string{"seen"}},
		{Check: "d", Severity: "unheard of"},
	})
	var out []string
	for _, it := range items {
		out = append(out, strings.TrimSpace(it.Label+" "+it.Line.String()))
	}
	require.Equal(t, []string{"FAIL c", "- seen", "FAIL d", "WARN b", "do: mend it", "OK   a"}, trimAll(out))
	require.Equal(t, "2 checks: 1 FAIL, 1 OK", FindingsLine([]runbook.Finding{{Severity: runbook.SeverityOK}, {Severity: runbook.SeverityError}}).String())
}

func trimAll(in []string) []string {
	for i := range in {
		in[i] = strings.TrimRight(in[i], " ")
	}
	return in
}

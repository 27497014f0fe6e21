package tui

import (
	"errors"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/runbook"
	"raftmig/tui/dialog"
	"raftmig/tui/internal/script"
	"raftmig/tui/keymap"
	"raftmig/tui/logbuf"
	"raftmig/tui/present"
)

// recorder is a connection that keeps what is sent.
type recorder struct {
	sent  []runbook.Command
	reply error
}

func (r *recorder) link() *link {
	l := deadLink()
	l.send = func(c runbook.Command) tea.Cmd {
		r.sent = append(r.sent, c)
		return func() tea.Msg { return sentMsg{kind: c.Kind, err: r.reply} }
	}
	return l
}

// at is a model in a named scene, with its question open and its grace over.
func at(t *testing.T, name string, opts Options) (model, *recorder) {
	t.Helper()
	for _, sc := range script.Scenes() {
		if sc.Name == name {
			m := meet(sc, opts, 80, 24)
			r := &recorder{}
			m.link = r.link()
			return m, r
		}
	}
	t.Fatalf("no scene %s", name)
	return model{}, nil
}

func arrive(m model, s *runbook.Snapshot) model {
	return send(m, batchMsg{gen: m.gen, at: m.now, snapshot: s})
}

func TestAGateOpensByItselfAndSwallowsKeysUntilTheKeyboardIsQuiet(t *testing.T) {
	r := &recorder{}
	m := newModel(Options{By: "eva@bastion"}, r.link())
	m = send(m, tea.WindowSizeMsg{Width: 80, Height: 24})
	m = arrive(m, script.At(script.Small, runbook.StepConsenters))
	require.Nil(t, m.dlg)
	for _, sc := range script.Scenes() {
		if sc.Name == "gate-plain" {
			m = arrive(m, sc.Snapshot)
		}
	}
	require.NotNil(t, m.dlg)
	require.True(t, m.dlg.Grace)
	first := m.graced
	m = press(m, "y", "enter")
	require.Empty(t, r.sent, "keys meant for something else answered the gate")
	require.NotNil(t, m.dlg)
	m = send(m, graceMsg{first})
	require.True(t, m.dlg.Grace, "a quiet period that a key broke counted")
	m = send(m, graceMsg{m.graced})
	require.False(t, m.dlg.Grace)
	m = press(m, "y", "enter")
	require.Equal(t, []runbook.Command{{Kind: runbook.EventConfirmed, Step: runbook.StepConfirmPlan, Text: "yes", By: "eva@bastion"}}, r.sent)
	m = press(m, "enter", "enter")
	require.Len(t, r.sent, 1, "the answer was sent twice")
	m = send(m, sentMsg{kind: runbook.EventConfirmed})
	require.Nil(t, m.dlg)
}

func TestEnterAtAGateWaits(t *testing.T) {
	for _, scene := range []string{"gate-plain", "gate-severe", "failed"} {
		m, r := at(t, scene, Options{})
		require.NotNil(t, m.dlg, scene)
		m = press(m, "enter")
		require.Nil(t, m.dlg, scene)
		require.Empty(t, r.sent, scene)
		m = press(m, "g")
		require.NotNil(t, m.dlg, "g does not bring the question back: %s", scene)
	}
}

func TestTheSevereGateTakesNothingButTheExactName(t *testing.T) {
	m, r := at(t, "gate-severe", Options{By: "eva@bastion"})
	m = press(m, "y", "enter")
	require.Empty(t, r.sent)
	m = press(m, "g")
	for _, wrong := range []string{"", "y", "yes", "Rehearsal-net", "rehearsal-ne", "rehearsal-net ", " rehearsal-net"} {
		m = press(m, "t")
		for _, c := range wrong {
			m = press(m, string(c))
		}
		m = press(m, "enter")
		require.Empty(t, r.sent, "%q passed", wrong)
		require.NotEmpty(t, m.dlg.Refused)
		m = press(m, "esc")
		require.NotNil(t, m.dlg, "esc while typing goes back to the facts")
	}
	m = press(m, "t")
	for _, c := range "rehearsal-net" {
		m = press(m, string(c))
	}
	press(m, "enter")
	require.Equal(t, []runbook.Command{{Kind: runbook.EventConfirmed, Step: runbook.StepExitConfirm, Text: "rehearsal-net", By: "eva@bastion"}}, r.sent)
}

func TestLettersOfANameAreNotKeys(t *testing.T) {
	m, _ := at(t, "gate-severe", Options{})
	m = press(m, "t", "q", "n", "a", "?", "backspace", "s")
	require.False(t, m.left)
	require.Equal(t, "qnas", m.dlg.Input.Value())
	require.Equal(t, keymap.PageSteps, m.page)
	m = send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("x\n\x1by"), Paste: true})
	require.Equal(t, "qnasxy", m.dlg.Input.Value(), "control characters of a paste are typed")
	m = press(m, "ctrl+c")
	require.True(t, m.left)
}

func TestWhatTheRunRefusesIsShownInTheDialog(t *testing.T) {
	m, _ := at(t, "gate-plain", Options{})
	m = press(m, "y", "enter")
	m = send(m, sentMsg{kind: runbook.EventConfirmed, err: errors.New("nothing waits\x1b[2J to be confirmed")})
	require.NotNil(t, m.dlg)
	require.False(t, m.dlg.Sending)
	require.Equal(t, "Refused: nothing waits to be confirmed", m.dlg.Refused)
}

func TestAbortSaysWhatItCostsAndAsks(t *testing.T) {
	m, r := at(t, "maintenance", Options{})
	m = press(m, "a")
	require.Equal(t, dialog.Abort, m.dlg.Kind)
	require.Contains(t, m.View(), "one update per channel that entered maintenance")
	m = press(m, "enter")
	require.Empty(t, r.sent)
	m = press(m, "a", "y", "enter")
	require.Len(t, r.sent, 1)
	require.Equal(t, runbook.EventAbort, r.sent[0].Kind)
	m = send(m, sentMsg{kind: runbook.EventAbort})
	require.Nil(t, m.dlg)
}

func TestAnAbortMaySayWhy(t *testing.T) {
	m, r := at(t, "maintenance", Options{By: "eva@bastion"})
	m = press(m, "a", "w")
	require.True(t, m.dlg.Typing)
	m = press(m, "esc")
	require.NotNil(t, m.dlg, "esc while typing goes back to the choices")
	require.Zero(t, m.dlg.Choice)
	m = press(m, "w")
	for _, c := range " quorum at risk" {
		m = press(m, string(c))
	}
	require.Empty(t, r.sent)
	m = press(m, "enter", "enter")
	require.Len(t, r.sent, 1)
	require.Equal(t, runbook.EventAbort, r.sent[0].Kind)
	require.Equal(t, "quorum at risk", r.sent[0].Text)
	m = send(m, sentMsg{kind: runbook.EventAbort, err: errors.New("not now")})
	require.Equal(t, " quorum at risk", m.dlg.Input.Value(), "the reason must be typed again")

	m, r = at(t, "maintenance", Options{})
	press(m, "a", "w", "enter")
	require.Len(t, r.sent, 1)
	require.Equal(t, "asked for at the terminal", r.sent[0].Text, "a reason is no must")

	m, r = at(t, "maintenance", Options{ReadOnly: true})
	m.dlg = &dialog.State{Kind: dialog.Abort}
	m = press(m, "w", "enter")
	require.False(t, m.dlg.Typing)
	require.Empty(t, r.sent)
}

func TestAKeyThatIsOffSaysWhy(t *testing.T) {
	m, r := at(t, "rollback", Options{})
	m = press(m, "a")
	require.Nil(t, m.dlg)
	require.Contains(t, m.notice, "on its way back already")
	m, _ = at(t, "migrated", Options{})
	m = press(m, "a")
	require.Contains(t, m.notice, "the run has ended")
	m, _ = at(t, "maintenance", Options{})
	m = press(m, "r")
	require.Contains(t, m.notice, "no step has failed")
	require.Empty(t, r.sent)
}

func TestAProblemOffersRetryAbortAndGiveUp(t *testing.T) {
	m, r := at(t, "failed", Options{})
	require.Equal(t, dialog.Problem, m.dlg.Kind)
	press(m, "r", "enter")
	require.Equal(t, runbook.EventRetry, r.sent[0].Kind)
	require.Equal(t, runbook.StepSwitchVerify, r.sent[0].Step)

	m, r = at(t, "failed", Options{})
	m = press(m, "a", "enter")
	require.Equal(t, dialog.Abort, m.dlg.Kind)
	press(m, "y", "enter")
	require.Equal(t, runbook.EventAbort, r.sent[0].Kind)

	m, r = at(t, "failed", Options{})
	m = press(m, "esc", "x")
	require.Equal(t, dialog.GiveUp, m.dlg.Kind)
	press(m, "y", "enter")
	require.Equal(t, runbook.EventGiveUp, r.sent[0].Kind)

	m, r = at(t, "failed", Options{})
	m = press(m, "esc", "r")
	require.Empty(t, r.sent, "one key retried")
	press(m, "enter")
	require.Equal(t, runbook.EventRetry, r.sent[0].Kind)
}

func TestAStepThatFailsAgainAsksAnew(t *testing.T) {
	m, _ := at(t, "failed", Options{})
	m = press(m, "esc")
	m = arrive(m, m.snap)
	require.Nil(t, m.dlg, "the same question opened twice")
	again := *m.snap
	again.Steps = append([]runbook.StepView{}, m.snap.Steps...)
	again.Steps[again.Current].EndedAt = again.Steps[again.Current].EndedAt.Add(time.Minute)
	m = arrive(m, &again)
	require.NotNil(t, m.dlg)
}

func TestAQuestionAnsweredElsewhereCloses(t *testing.T) {
	m, _ := at(t, "gate-plain", Options{})
	m = arrive(m, script.At(script.Small, runbook.StepEnterMaintenance))
	require.Nil(t, m.dlg)
	require.Contains(t, m.notice, "no longer open")
}

func TestAnUnattendedRunAsksNothing(t *testing.T) {
	s := script.At(script.Small, runbook.StepExitConfirm)
	script.SevereGate(s)
	s.Plan.Unattended = true
	m := newModel(Options{}, deadLink())
	m = arrive(send(m, tea.WindowSizeMsg{Width: 80, Height: 24}), s)
	require.Nil(t, m.dlg)
}

func TestLeavingNeverTouchesTheRun(t *testing.T) {
	for _, k := range []string{"q", "ctrl+c"} {
		for _, scene := range []string{"maintenance", "gate-plain", "gate-severe", "failed", "migrated", "lost"} {
			m, r := at(t, scene, Options{})
			m = press(m, k)
			require.True(t, m.left, "%s does not leave at %s", k, scene)
			require.Empty(t, r.sent)
			require.NotEmpty(t, m.goodbye())
		}
	}
}

func TestLeavingARunOfThisProcessAsksFirst(t *testing.T) {
	m, _ := at(t, "maintenance", Options{InProcess: true})
	m = press(m, "q")
	require.False(t, m.left)
	require.Equal(t, dialog.Leave, m.dlg.Kind)
	m = press(m, "enter")
	require.False(t, m.left)
	m = press(m, "q", "y", "enter")
	require.True(t, m.left)
	m, _ = at(t, "migrated", Options{InProcess: true})
	m = press(m, "q")
	require.True(t, m.left, "nothing is left to lose")
}

func TestALostConnectionIsSaidAndCanBeMadeAnew(t *testing.T) {
	m, _ := at(t, "lost", Options{})
	require.Equal(t, present.MoodLost, m.mood())
	require.Contains(t, m.View(), "CONNECTION LOST")
	require.Zero(t, m.ticking, "a clock runs on a picture of the past")
	m = press(m, "esc", "a")
	require.Nil(t, m.dlg)
	require.Contains(t, m.notice, "lost")

	m = press(m, "g")
	m.reattach = func() tea.Cmd { return func() tea.Msg { return nil } }
	m = press(m, "r", "enter")
	require.True(t, m.dlg.Sending)
	m = send(m, reattachedMsg{err: errors.New("no such run")})
	require.Contains(t, m.dlg.Refused, "no such run")
	old := m.gen
	m = send(m, reattachedMsg{link: deadLink()})
	require.Nil(t, m.dlg)
	require.False(t, m.lost)
	m = send(m, batchMsg{gen: old, closed: true})
	require.False(t, m.lost, "the end of the old connection was taken for the new one's")
}

func TestTheEndOfARunIsNoLoss(t *testing.T) {
	m, _ := at(t, "migrated", Options{})
	m = send(m, batchMsg{gen: m.gen, at: m.now, closed: true})
	require.False(t, m.lost)
	require.Nil(t, m.dlg)
	require.Contains(t, m.View(), "MIGRATED")
}

func TestAQuestionWaitsUntilTheFilterIsTyped(t *testing.T) {
	m, _ := at(t, "maintenance", Options{})
	m = press(m, "l", "/", "l", "e")
	for _, sc := range script.Scenes() {
		if sc.Name == "gate-plain" {
			m = arrive(m, sc.Snapshot)
		}
	}
	require.Nil(t, m.dlg)
	m = press(m, "a", "d")
	require.Equal(t, "lead", m.filter.Value())
	require.Len(t, m.log.Shown(), 4, "three leader lines and one that talks of a leader")
	m = press(m, "enter")
	require.NotNil(t, m.dlg)
	require.True(t, m.dlg.Grace)
	m = press(send(m, graceMsg{m.graced}), "esc", "esc")
	require.Empty(t, m.filter.Value())
}

func TestAPausedLogStaysWhereItIs(t *testing.T) {
	m, _ := at(t, "maintenance", Options{})
	m = press(m, "l", "k", "k", "k")
	require.Equal(t, 3, m.logBack)
	more := []present.LogRow{{Text: "one"}, {Text: "two"}}
	m = send(m, batchMsg{gen: m.gen, at: m.now, log: more})
	require.Equal(t, 5, m.logBack)
	m = press(m, "p")
	require.Zero(t, m.logBack)
	m = press(m, "m")
	require.NotEmpty(t, m.log.Shown())
	for _, r := range m.log.Shown() {
		require.True(t, present.ShowMarked.Shows(r.Kind))
	}
}

func TestRoutineLinesAreShownOnlyOnRequest(t *testing.T) {
	m, _ := at(t, "maintenance", Options{})
	usual := len(m.log.Shown())
	m = send(m, batchMsg{gen: m.gen, at: m.now, log: []present.LogRow{{Text: "one more call", Kind: present.LogRoutine}}})
	require.Len(t, m.log.Shown(), usual)
	m = press(m, "l", "m", "m")
	require.Len(t, m.log.Shown(), usual+1)
	m = press(m, "m")
	require.Len(t, m.log.Shown(), usual, "round and back")
}

func TestTheSelectionFollowsTheCurrentStepUntilItIsMoved(t *testing.T) {
	m, _ := at(t, "maintenance", Options{})
	require.Equal(t, m.snap.Current, m.step)
	m = press(m, "k")
	require.Equal(t, m.snap.Current-1, m.step)
	m = arrive(m, script.At(script.Small, runbook.StepBackupCopy))
	require.Equal(t, 4, m.step)
	m = press(m, "t")
	require.Equal(t, m.snap.Current, m.step)
	m = arrive(m, script.At(script.Small, runbook.StepBackupVerify))
	require.Equal(t, m.snap.Current, m.step)
}

func TestClocksRunOnlyWhileTheRunMoves(t *testing.T) {
	for scene, want := range map[string]time.Duration{
		"maintenance": time.Second, "rollback": time.Second, "gate-plain": time.Minute, "failed": time.Minute, "migrated": 0, "rolled-back": 0, "lost": 0,
	} {
		m, _ := at(t, scene, Options{})
		require.Equal(t, want, m.ticking, scene)
	}
	m, _ := at(t, "maintenance", Options{SlowLink: true})
	require.Equal(t, 5*time.Second, m.ticking)
}

func TestKeysThatComeTogetherAreTakenOneByOne(t *testing.T) {
	m, _ := at(t, "maintenance-25", Options{})
	require.Equal(t, 12, m.channel, "the channel that is not level is selected")
	m = press(m, "cjjj")
	require.Equal(t, keymap.PageChannels, m.page)
	require.Equal(t, 15, m.channel)
	m = press(m, "l/lead")
	require.True(t, m.filtering)
	require.Equal(t, "lead", m.filter.Value())

	m, r := at(t, "gate-plain", Options{})
	m = send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("y"), Paste: true})
	m = press(m, "enter")
	require.Empty(t, r.sent, "a paste chose")
	m, _ = at(t, "gate-severe", Options{})
	m = press(m, "trehearsal-net")
	require.Equal(t, "rehearsal-net", m.dlg.Input.Value())
}

func TestEscAndAKeyRightAfterItAreTwoKeys(t *testing.T) {
	m, r := at(t, "gate-severe", Options{})
	m = send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("l"), Alt: true})
	require.Nil(t, m.dlg)
	require.Equal(t, keymap.PageLog, m.page)
	m = press(m, "g", "t", "x")
	m = send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("k"), Alt: true})
	require.False(t, m.dlg.Typing)
	require.Empty(t, m.dlg.Input.Value())
	require.Empty(t, r.sent)
}

func TestANoticeMakesRoomForTheKeysAgain(t *testing.T) {
	m, _ := at(t, "maintenance", Options{})
	m = send(m, sentMsg{kind: runbook.EventAbort})
	for range 5 {
		m = send(m, tickMsg{seq: m.tickSeq, at: m.now.Add(time.Second)})
		require.NotEmpty(t, m.notice)
	}
	m = send(m, tickMsg{seq: m.tickSeq, at: m.now.Add(time.Second)})
	require.Empty(t, m.notice)
}

// No clock ticks any more that would take it away.
func TestTheEndOfARunTakesItsNoticeAway(t *testing.T) {
	m, _ := at(t, "maintenance", Options{})
	m = send(m, sentMsg{kind: runbook.EventConfirmed})
	require.Contains(t, m.View(), "Confirmed; the run goes on.")
	for _, sc := range script.Scenes() {
		if sc.Name == "migrated" {
			m = arrive(m, sc.Snapshot)
		}
	}
	require.Empty(t, m.notice)
	require.Contains(t, m.View(), " leave")
}

func TestALogWithoutLinesToShowSaysWhatHidesThem(t *testing.T) {
	m, _ := at(t, "maintenance", Options{})
	m.log = logbuf.New(10)
	m = press(m, "l")
	require.Contains(t, m.View(), "No log line yet.")
	m = send(m, batchMsg{gen: m.gen, at: m.now, log: []present.LogRow{{Text: "one more call", Kind: present.LogRoutine}}})
	require.Contains(t, m.View(), "None of 1 line is of the kind that is shown. m shows other kinds.")
	m = press(m, "/", "x", "enter")
	require.Contains(t, m.View(), "None of 1 line passes the filter. Esc clears it, m shows other lines.")
}

func TestASlowLinkShowsMarkedLogLinesOnly(t *testing.T) {
	m, _ := at(t, "maintenance", Options{SlowLink: true})
	v := m.View()
	require.Contains(t, v, "slow link: marked lines only")
	require.Contains(t, v, "Raft leader changed")
	require.NotContains(t, v, "Start accepting requests")
	m = press(m, "l")
	require.Contains(t, m.View(), "Start accepting requests", "the log page shows all")
}

// keysOf are keys that a hand may hit.
var keysOf = []string{
	"enter", "esc", "up", "down", "tab", "left", "right", "end", "home", "pgdown", "backspace", "/",
	"a", "b", "c", "e", "f", "g", "j", "k", "l", "m", "n", "p", "r", "s", "t", "u", "w", "x", "y", "?", "1", "3", "G", "J", "<",
}

func TestAReadOnlyTerminalNeverSends(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		scene := rapid.SampledFrom(script.Scenes()).Draw(rt, "scene")
		r := &recorder{}
		m := meet(scene, Options{ReadOnly: true}, 80, 24)
		m.link = r.link()
		for _, k := range rapid.SliceOfN(rapid.SampledFrom(keysOf), 0, 40).Draw(rt, "keys") {
			m = press(m, k)
			requireNothingSent(rt, r)
		}
	})
}

func requireNothingSent(rt *rapid.T, r *recorder) {
	if len(r.sent) > 0 {
		rt.Fatalf("sent %v", r.sent)
	}
}

// TestNothingIsSentButByEnterInADialog: whatever is pressed, only enter in an
// open dialog on a choice other than the default sends, and the severe gate
// only with the name typed.
func TestNothingIsSentButByEnterInADialog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		scene := rapid.SampledFrom(script.Scenes()).Draw(rt, "scene")
		r := &recorder{}
		m := meet(scene, Options{}, 80, 24)
		m.link = r.link()
		for _, k := range rapid.SliceOfN(rapid.SampledFrom(keysOf), 0, 40).Draw(rt, "keys") {
			before := m
			m = press(m, k)
			requireFitsRapid(rt, m)
			if len(r.sent) == 0 {
				continue
			}
			switch {
			case k != "enter" || before.dlg == nil || before.dlg.Choice == 0:
				rt.Fatalf("%s sent %v", k, r.sent)
			case r.sent[0].Kind == runbook.EventConfirmed && before.dlg.Kind == dialog.Gate && before.snap.Gate.Severe && before.dlg.Input.Value() != "rehearsal-net":
				rt.Fatalf("%q passed the severe gate", before.dlg.Input.Value())
			}
			r.sent = nil
		}
	})
}

func requireFitsRapid(rt *rapid.T, m model) {
	rows := 1
	for _, c := range m.View() {
		if c == '\n' {
			rows++
		}
	}
	if rows != m.height {
		rt.Fatalf("%d rows on a screen of %d", rows, m.height)
	}
}

package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/tui/internal/script"
)

func play(t *testing.T, cfg script.Config) *script.Player {
	t.Helper()
	cfg.Shape = script.Small
	cfg.Now, cfg.Wait = script.Virtual()
	p := script.Play(t.Context(), cfg)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func utc() *time.Location { return time.FixedZone("CET", 3600) }

// session runs a whole session on lines written in advance.
func runSession(t *testing.T, cfg script.Config, opts Options, lines ...string) (string, *runbook.Snapshot, error) {
	t.Helper()
	var out bytes.Buffer
	var last *runbook.Snapshot
	opts.Local, opts.By = utc(), "eva@bastion"
	opts.Last = func(s *runbook.Snapshot) { last = s }
	in := strings.NewReader(strings.Join(lines, "\n") + "\n")
	if len(lines) == 0 {
		in = strings.NewReader("")
	}
	err := Run(t.Context(), play(t, cfg), in, &out, opts)
	requirePlain(t, out.String())
	return out.String(), last, err
}

// requirePlain demands text that any terminal and any screen reader can take:
// no escape, no box, nothing beyond ASCII, no blank at the end of a line.
func requirePlain(t *testing.T, out string) {
	t.Helper()
	for _, l := range strings.Split(out, "\n") {
		require.Equal(t, strings.TrimRight(l, " \t\r"), l)
		for _, r := range l {
			require.True(t, r >= 0x20 && r < 0x7f, "%q in %q", r, l)
		}
	}
}

func TestAWholeMigrationByPrompts(t *testing.T) {
	out, last, err := runSession(t, script.Config{Noise: true}, Options{}, "2", "yes", "2", "rehearsal-net")
	require.NoError(t, err)
	require.Equal(t, runbook.OutcomeMigrated, last.Outcome)
	golden.RequireEqual(t, []byte(out))
}

func TestAFailureThenAbortByPrompts(t *testing.T) {
	out, last, err := runSession(t, script.Config{FailAt: runbook.StepSwitchVerify}, Options{Brief: true},
		"2", "yes", // the plan
		"1", "4", "no", // give up? no
		"3", "yes") // abort
	require.NoError(t, err)
	require.Equal(t, runbook.OutcomeRolledBack, last.Outcome)
	golden.RequireEqual(t, []byte(out))
}

func TestAReasonForTheWayBackMayFollowTheYes(t *testing.T) {
	for answer, want := range map[string]string{
		"yes":                          "asked for at the terminal",
		"yes the window is  over":      "the window is  over",
		"yes ":                         "asked for at the terminal",
		"yesterday it worked\nno\nyes": "", // not a yes
	} {
		var sent []runbook.Command
		p := play(t, script.Config{FailAt: runbook.StepSwitchVerify})
		in := strings.NewReader("2\nyes\n3\n" + answer + "\n")
		err := Run(t.Context(), listening{p, &sent}, in, io.Discard, Options{By: "eva@bastion", Brief: true})
		if err != nil {
			require.ErrorContains(t, err, "input", answer)
		}
		got := ""
		for _, c := range sent {
			if c.Kind == runbook.EventAbort {
				got = c.Text
			}
		}
		require.Equal(t, want, got, answer)
	}
}

// listening keeps what is sent.
type listening struct {
	runbook.Client
	sent *[]runbook.Command
}

func (l listening) Send(ctx context.Context, c runbook.Command) error {
	*l.sent = append(*l.sent, c)
	return l.Client.Send(ctx, c)
}

func TestARetryByPrompts(t *testing.T) {
	out, last, err := runSession(t, script.Config{FailAt: runbook.StepBackupCopy}, Options{Brief: true},
		"2", "yes", "2", "2", "rehearsal-net")
	require.NoError(t, err)
	require.Equal(t, runbook.OutcomeMigrated, last.Outcome)
	require.Contains(t, out, "Sent: the step is tried again.")
}

func TestEverythingCanBeAskedFor(t *testing.T) {
	out, _, err := runSession(t, script.Config{}, Options{Brief: true},
		"?", "s", "w", "w prepare.reach", "w 6", "c", "e 1", "e relist", "f", "l", "l leader", "g", "r", "x", "nonsense", "e nonsense", "9", "", "q")
	require.NoError(t, err)
	golden.RequireEqual(t, []byte(out))
}

func TestTheSevereGateTakesOnlyTheNameTyped(t *testing.T) {
	for _, wrong := range []string{"", "yes", "y", "REHEARSAL-NET", "rehearsal-net ", "rehearsal"} {
		out, last, err := runSession(t, script.Config{}, Options{Brief: true}, "2", "yes", "2", wrong)
		require.ErrorIs(t, err, ErrNoAnswer)
		require.NotNil(t, last.Gate, "%q passed the gate", wrong)
		require.Empty(t, last.Outcome)
		require.NotContains(t, out, "exit.normal: started")
	}
}

func TestTheDefaultAnswerChangesNothing(t *testing.T) {
	for _, answer := range []string{"", "1", "2\n", "2\nno", "3\n", "7", "yes", "rehearsal-net"} {
		_, last, err := runSession(t, script.Config{}, Options{Brief: true}, answer)
		require.ErrorIs(t, err, ErrNoAnswer)
		require.Equal(t, runbook.StepConfirmPlan, last.Gate.Step, "%q went on", answer)
	}
}

func TestAReadOnlySessionCannotAnswer(t *testing.T) {
	out, last, err := runSession(t, script.Config{}, Options{ReadOnly: true, Brief: true}, "2", "yes", "3", "a", "x", "r", "q")
	require.NoError(t, err)
	require.Equal(t, runbook.StepConfirmPlan, last.Gate.Step)
	require.Contains(t, out, "read-only")
	require.NotContains(t, out, "Sent:")
}

func TestLeavingSaysThatTheRunGoesOn(t *testing.T) {
	out, last, err := runSession(t, script.Config{}, Options{Brief: true, AttachHint: "raftmig attach"}, "q")
	require.NoError(t, err)
	require.Empty(t, last.Outcome)
	require.Contains(t, out, "Left; the run goes on: prepare, step 5 of 28.\nway back: open")
	require.Contains(t, out, "Come back with: raftmig attach\n")
}

func TestLeavingARunOfThisProcessAsksFirst(t *testing.T) {
	out, last, err := runSession(t, script.Config{}, Options{Brief: true, InProcess: true}, "q", "", "q", "yes", "2")
	require.NoError(t, err)
	require.NotNil(t, last.Gate)
	require.Contains(t, out, "Nothing was done.")
	require.Contains(t, out, "Left; the run stops where it is and can be resumed")
	require.NotContains(t, out, "goes on")
}

func TestALostConnectionIsSaid(t *testing.T) {
	out, _, err := runSession(t, script.Config{LoseAt: runbook.StepBackupCopy}, Options{Brief: true, AttachHint: "raftmig attach"}, "2", "yes")
	require.ErrorIs(t, err, ErrLost)
	require.Contains(t, out, "The connection to the run is lost.")
	require.Contains(t, out, "Come back with: raftmig attach\n")
}

func TestLinesTypedBeforeTheQuestionDoNotAnswerIt(t *testing.T) {
	gate := script.At(script.Small, runbook.StepConfirmPlan)
	script.SevereGate(gate)
	gate.Gate.Severe, gate.Gate.Typed = false, ""
	c := &client{updates: make(chan runbook.Update)}
	pr, pw := io.Pipe()
	out := &watched{word: "Type a number", seen: make(chan struct{})}
	done := make(chan error)
	go func() {
		done <- Run(t.Context(), c, pr, out, Options{Interactive: true, Local: utc()})
	}()
	c.updates <- runbook.Update{Snapshot: script.At(script.Small, runbook.StepConsenters)}
	_, err := io.WriteString(pw, "2\nyes\n")
	require.NoError(t, err)
	// The pipe takes the second line only when the first has been handled; one
	// more line makes sure of the second.
	_, err = io.WriteString(pw, "?\n")
	require.NoError(t, err)
	c.updates <- runbook.Update{Snapshot: gate}
	<-out.seen
	_, err = io.WriteString(pw, "q\n")
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Empty(t, c.sent)
}

// A step that fails again at once may never be seen to run in between.
func TestAStepThatFailsAgainIsToldAndAskedAboutAgain(t *testing.T) {
	failed := func(after time.Duration) *runbook.Snapshot {
		s := script.At(script.Small, runbook.StepChannels)
		s.Problem, s.Active = &runbook.Problem{What: "it broke"}, nil
		st := &s.Steps[s.Current]
		st.Status, st.Problem, st.EndedAt = runbook.StatusFailed, s.Problem, st.StartedAt.Add(time.Second+after)
		return s
	}
	c := &client{updates: make(chan runbook.Update, 2), sending: make(chan struct{})}
	var out bytes.Buffer
	done := make(chan error)
	go func() { done <- Run(t.Context(), c, strings.NewReader("2\nq\n"), &out, Options{Local: utc()}) }()
	c.updates <- runbook.Update{Snapshot: failed(0)}
	<-c.sending
	c.updates <- runbook.Update{Snapshot: failed(time.Millisecond)}
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the second failure was not asked about")
	}
	require.Equal(t, 2, strings.Count(out.String(), "prepare.channels: FAILED"), out.String())
	require.Equal(t, 2, strings.Count(out.String(), "retry the step"), out.String())
}

// watched is an output that tells when a word has been written.
type watched struct {
	word string
	seen chan struct{}
	once sync.Once
}

func (w *watched) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.word)) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

func TestTheSessionEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &client{updates: make(chan runbook.Update)}
	pr, _ := io.Pipe()
	done := make(chan error)
	go func() { done <- Run(ctx, c, pr, io.Discard, Options{}) }()
	c.updates <- runbook.Update{}
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.True(t, c.closed)
}

// client is a connection driven by hand.
type client struct {
	updates chan runbook.Update
	sent    []runbook.Command
	closed  bool
	sending chan struct{} // closed with the first command, if set
}

func (c *client) Send(_ context.Context, cmd runbook.Command) error {
	if c.sent = append(c.sent, cmd); len(c.sent) == 1 && c.sending != nil {
		close(c.sending)
	}
	return nil
}
func (c *client) Updates() <-chan runbook.Update { return c.updates }
func (c *client) Close() error                   { c.closed = true; return nil }

// headless plays a run and answers its gates behind the back of Headless.
func TestHeadlessTellsEveryStepWithItsEvidence(t *testing.T) {
	p := play(t, script.Config{Noise: true, Unattended: true})
	var out bytes.Buffer
	last, err := Headless(t.Context(), p, &out)
	require.NoError(t, err)
	require.Equal(t, runbook.OutcomeMigrated, last.Outcome)
	requirePlain(t, out.String())
	golden.RequireEqual(t, out.Bytes())
}

func TestHeadlessSaysWhereTheRunWaits(t *testing.T) {
	last, err := Headless(t.Context(), play(t, script.Config{}), io.Discard)
	require.ErrorIs(t, err, ErrWaits)
	require.ErrorContains(t, err, "prepare.confirm")
	require.NotNil(t, last.Gate)
}

func TestHeadlessSaysWhyTheRunStandsStill(t *testing.T) {
	p := play(t, script.Config{FailAt: runbook.StepPreflight})
	var out bytes.Buffer
	last, err := Headless(t.Context(), p, &out)
	require.ErrorIs(t, err, ErrStandsStill)
	var problem *runbook.Problem
	require.True(t, errors.As(err, &problem))
	require.Contains(t, out.String(), "    do: "+problem.Hint)
	require.Equal(t, runbook.StatusFailed, last.Steps[last.Current].Status)

	require.NoError(t, p.Send(t.Context(), runbook.Command{Kind: runbook.EventRetry, Step: runbook.StepPreflight}))
	last, err = Headless(t.Context(), p, &out)
	require.ErrorIs(t, err, ErrWaits, "Headless cannot be called again on the same client")
	require.Equal(t, runbook.StepConfirmPlan, last.Gate.Step)
}

func TestHeadlessSaysThatTheConnectionWasLost(t *testing.T) {
	_, err := Headless(t.Context(), play(t, script.Config{LoseAt: runbook.StepChannels}), io.Discard)
	require.ErrorIs(t, err, ErrLost)
}

func TestAFailingOutputIsAnError(t *testing.T) {
	_, err := Headless(t.Context(), play(t, script.Config{}), brokenPipe{})
	require.ErrorIs(t, err, io.ErrClosedPipe)
	err = Run(t.Context(), play(t, script.Config{}), strings.NewReader(""), brokenPipe{}, Options{})
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Whatever is pasted into it, the session goes on with the next line.
func TestALineWithoutEndIsNotTheEndOfTheInput(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	var got []string
	for line := range readLines(t.Context(), strings.NewReader(long+"\nshort\r\n\n"+long+"\nlast")) {
		require.LessOrEqual(t, len(line), maxLine)
		got = append(got, line)
	}
	require.Len(t, got, 5)
	require.Equal(t, []string{"short", "", "last"}, []string{got[1], got[2], got[4]})
}

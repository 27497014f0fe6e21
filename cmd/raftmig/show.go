package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/tui"
	"raftmig/tui/plain"
)

// showFlags say how a run is shown.
type showFlags struct {
	headless bool
	plain    bool
	json     bool
	noColor  bool
	ascii    bool
	slowLink bool
	readOnly bool
	awaits   bool // this process looks for signatures that the run stands still for
}

func (f *showFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&f.headless, "headless", false, "ask nothing; print each step with its evidence")
	fl.BoolVar(&f.plain, "plain", false, "numbered prompts, one line per event (screen readers, TERM=dumb)")
	fl.BoolVar(&f.json, "json", false, "print one JSON document at the end (implies --headless)")
	f.addScreen(cmd)
}

func (f *showFlags) addScreen(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&f.noColor, "no-color", false, "no colours (also: NO_COLOR)")
	fl.BoolVar(&f.ascii, "ascii", false, "borders and signs in ASCII only")
	fl.BoolVar(&f.slowLink, "slow-link", false, "redraw once a second at most")
}

// mode is how a run is shown.
type mode int

const (
	modeScreen mode = iota
	modePlain
	modeHeadless
)

// mode decides from the flags and the terminal. The screen needs a terminal on
// both ends; without one a run that would have asked runs unattended only if
// unattended says that it may.
func (f *showFlags) mode(unattended bool) mode {
	switch {
	case f.headless || f.json:
		return modeHeadless
	case !isTerminal(os.Stdin) || !isTerminal(os.Stdout):
		if unattended {
			return modeHeadless
		}
		return modePlain
	case f.plain || os.Getenv("ACCESSIBLE") != "" || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "":
		return modePlain
	default:
		return modeScreen
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// attach describes how a terminal is connected to a run.
type attach struct {
	client   runbook.Client
	reattach func(ctx context.Context) (runbook.Client, error)
	folder   runner.Folder
}

// command is a command about the same run.
func (a attach) command(name string) string {
	return "raftmig " + name + " --runs " + runner.Quote(string(a.folder))
}

// afterwards is what is said of a run that has ended.
func (a attach) afterwards() string {
	return "Evidence, and what is left to do: " + a.command("report")
}

// show shows a run until it ends or the operator leaves. It returns the last
// snapshot that was seen, nil if there was none.
func (f *showFlags) show(ctx context.Context, m mode, a attach, out io.Writer) (*runbook.Snapshot, error) {
	var last *runbook.Snapshot
	keep := func(s *runbook.Snapshot) { last = s }
	var err error
	switch m {
	case modeHeadless:
		tell := plain.Headless
		if f.awaits {
			tell = plain.HeadlessAwaiting
		}
		last, err = tell(ctx, a.client, out)
	case modePlain:
		err = plain.Run(ctx, a.client, os.Stdin, out, plain.Options{
			By: runner.Who(), ReadOnly: f.readOnly, Interactive: isTerminal(os.Stdin),
			AttachHint: a.command("attach"), Last: keep,
		})
	default:
		err = tui.Run(ctx, a.client, tui.Options{
			NoColor: f.noColor || os.Getenv("NO_COLOR") != "", ASCII: f.ascii, SlowLink: f.slowLink,
			ReadOnly: f.readOnly, By: runner.Who(),
			Reattach: a.reattach, AttachHint: a.command("attach"), Last: keep,
		})
	}
	if errors.Is(err, plain.ErrStandsStill) || errors.Is(err, plain.ErrWaits) || errors.Is(err, plain.ErrNoAnswer) {
		err = withCode(exitStopped, err)
	}
	if m != modeHeadless && err == nil && last != nil && last.Outcome != "" {
		fmt.Fprintln(out, a.afterwards())
	}
	return last, err
}

// verdict turns the end of a run into the command's exit code. asked says that
// the way back was asked for beforehand.
func verdict(s *runbook.Snapshot, asked bool) error {
	switch {
	case s == nil || s.Outcome == "":
		return withCode(exitStopped, errors.New("the run has not ended; it can be resumed"))
	case s.Outcome == runbook.OutcomeMigrated, s.Outcome == runbook.OutcomeDone, s.Outcome == runbook.OutcomeRolledBack && asked:
		return nil
	case s.Outcome == runbook.OutcomeRolledBack:
		return withCode(exitRolledBack, problemOr(s, "the network was taken back to Kafka"))
	default:
		return withCode(exitFailed, problemOr(s, "the run failed"))
	}
}

func problemOr(s *runbook.Snapshot, text string) error {
	if s.Problem != nil {
		return s.Problem
	}
	return errors.New(text)
}

// Package plain shows a run as lines of text and asks with numbered choices:
// one line per event, no cursor motion, no boxes, no colours. It is for screen
// readers, terminals that can do nothing else, and pipes, and it can do all
// that the screen of package tui can do. Headless asks nothing at all.
package plain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"raftmig/runbook"
	"raftmig/tui/present"
)

// Options are how a run is shown.
type Options struct {
	// By is who sits here, user@host; it goes with every answer.
	By       string
	ReadOnly bool
	// Interactive says that a person types at a terminal: lines typed before a
	// question was asked do not answer it. Leave it out for scripts and pipes.
	Interactive bool
	// InProcess says that the run lives in this process and dies with it;
	// leaving then asks first.
	InProcess bool
	// Brief leaves out what each step does before it does it.
	Brief bool
	// Local is the time zone shown beside UTC; nil means time.Local.
	Local *time.Location
	// AttachHint is the command that comes back to the run.
	AttachHint string
	// Last, if set, is called before Run returns with the last snapshot
	// received, nil if none was.
	Last func(*runbook.Snapshot)
}

// Errors that callers tell apart.
var (
	// ErrLost: the connection ended before the run did.
	ErrLost = errors.New("the connection to the run was lost before the run ended")
	// ErrNoAnswer: the input ended while the run waits for an answer.
	ErrNoAnswer = errors.New("the input ended while the run waits for an answer")
	// ErrWaits: a run without questions waits at a gate.
	ErrWaits = errors.New("the run waits for a person")
	// ErrStandsStill: a run without questions stands still on a problem.
	ErrStandsStill = errors.New("the run stands still on a problem")
)

// sendTimeout is how long a command may take to be answered by the run.
const sendTimeout = 15 * time.Second

// Run shows a run until it ends or the operator leaves, both of which return
// nil. The run goes on when Run returns.
func Run(ctx context.Context, client runbook.Client, in io.Reader, out io.Writer, opts Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer client.Close()
	s := &session{ctx: ctx, client: client, out: out, opts: opts, lines: readLines(ctx, in)}
	err := s.loop()
	if opts.Last != nil {
		opts.Last(s.snap)
	}
	if s.outErr != nil {
		return fmt.Errorf("writing: %w", s.outErr)
	}
	return err
}

// maxLine is what is kept of a line; no answer is that long.
const maxLine = 4 << 10

// readLines reads lines until the input or ctx ends. A read that blocks is
// left behind; there is no way to take a terminal's read back.
func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(in, maxLine)
		for {
			line, rest, err := r.ReadLine()
			if err != nil {
				return
			}
			text := string(line)
			for rest && err == nil {
				_, rest, err = r.ReadLine()
			}
			select {
			case lines <- text:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// session is a run as it is told. Its methods are called by one goroutine.
type session struct {
	ctx    context.Context
	client runbook.Client
	out    io.Writer
	outErr error
	opts   Options
	lines  <-chan string

	snap     *runbook.Snapshot
	progress *runbook.Progress // the newest
	notices  present.Notices
	asked    string   // what was last asked, "" for nothing
	menu     *menu    // the question that is open, nil for none
	recent   []string // of the log, the newest last
	leave    bool     // the operator leaves
}

const recentLines = 200

func (s *session) say(format string, args ...any) {
	if s.outErr != nil {
		return
	}
	_, s.outErr = fmt.Fprintf(s.out, format+"\n", args...)
}

// loop takes what comes from the run and from the input, one after the other.
func (s *session) loop() error {
	leave := "q leaves, the run goes on"
	if s.opts.InProcess {
		leave = "q leaves and ends this process"
	}
	s.say("Lines tell what happens. Type ? and enter for what you can ask; %s.", leave)
	inputOpen := true
	for s.outErr == nil {
		// What a script has written in advance waits for its question.
		var lines <-chan string
		if inputOpen && (s.opts.Interactive || s.menu != nil) {
			lines = s.lines
		}
		select {
		case <-s.ctx.Done():
			s.goodbye()
			return s.ctx.Err()
		case u, ok := <-s.client.Updates():
			if !ok {
				return s.ended()
			}
			s.take(u)
		case l, ok := <-lines:
			if !ok {
				inputOpen = false
			} else if s.line(l); s.leave {
				s.goodbye()
				return nil
			}
		}
		if !inputOpen && s.menu != nil {
			return ErrNoAnswer
		}
	}
	return nil
}

func (s *session) ended() error {
	if s.snap != nil && s.snap.Outcome != "" {
		return nil
	}
	s.say("The connection to the run is lost. The run may go on by itself.")
	if s.opts.AttachHint != "" {
		s.say("Come back with: %s", s.opts.AttachHint)
	}
	return ErrLost
}

// take tells what came from the run and asks what it waits for.
func (s *session) take(u runbook.Update) {
	for _, l := range u.Log {
		row := present.LogRowOf(l)
		s.recent = append(s.recent, present.LogText(row))
		if len(s.recent) > recentLines {
			s.recent = s.recent[len(s.recent)-recentLines:]
		}
		if present.ShowMarked.Shows(row.Kind) {
			s.say("%s", present.LogText(row))
		}
	}
	if u.Progress != nil {
		if l := s.notices.Progress(u.Progress); l != "" {
			s.say("%s", l)
		}
		s.progress = u.Progress
	}
	if u.Snapshot == nil {
		return
	}
	s.notices.Snapshot(u.Snapshot)
	for _, l := range present.Announce(s.snap, u.Snapshot, !s.opts.Brief) {
		s.say("%s", l)
	}
	s.snap = u.Snapshot
	q := s.question()
	if q == s.asked {
		return
	}
	if s.menu != nil {
		s.say("The question is no longer open.")
	}
	s.asked, s.menu = q, nil
	if q != "" {
		s.dropTyped()
		s.ask(false)
	}
}

// dropTyped forgets lines that were typed before the question: they cannot be
// an answer to it.
func (s *session) dropTyped() {
	if !s.opts.Interactive {
		return
	}
	for {
		select {
		case l, ok := <-s.lines:
			if !ok {
				return
			}
			if l != "" {
				s.say("(ignored, typed before the question: %s)", present.Clean(l))
			}
		default:
			return
		}
	}
}

// question names what the run waits for, "" for nothing.
func (s *session) question() string {
	sn := s.snap
	switch {
	case sn.Outcome != "":
		return ""
	case sn.Gate != nil && !sn.Plan.Unattended:
		return "gate " + string(sn.Gate.Step)
	case present.Still(sn):
		q := "problem"
		if sn.Current >= 0 && sn.Current < len(sn.Steps) {
			q += " " + string(sn.Steps[sn.Current].ID) + sn.Steps[sn.Current].EndedAt.String()
		}
		return q
	default:
		return ""
	}
}

package plain

import (
	"context"
	"fmt"
	"io"

	"raftmig/runbook"
	"raftmig/tui/present"
)

// Headless tells a run that nobody answers: each step with its evidence,
// problems with hints, leader lines. It returns the last snapshot received and
// nil when the run has ended, however it ended; the caller reads the Outcome.
//
// ErrWaits and ErrStandsStill say that the run goes no further without an
// answer (a run whose plan is Unattended passes its gates by itself); ErrLost
// that the connection ended. It does not close the client, so the caller may
// send an abort and call it again.
func Headless(ctx context.Context, client runbook.Client, out io.Writer) (*runbook.Snapshot, error) {
	return headless(ctx, client, out, false)
}

// HeadlessAwaiting is Headless for a process that looks for signatures itself
// and goes on when they are there: it tells that the run stands still for them,
// and goes on telling.
func HeadlessAwaiting(ctx context.Context, client runbook.Client, out io.Writer) (*runbook.Snapshot, error) {
	return headless(ctx, client, out, true)
}

func headless(ctx context.Context, client runbook.Client, out io.Writer, awaits bool) (*runbook.Snapshot, error) {
	var last *runbook.Snapshot
	var notices present.Notices
	say := func(lines ...string) error {
		for _, l := range lines {
			if _, err := fmt.Fprintln(out, l); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
		}
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case u, ok := <-client.Updates():
			if !ok {
				if last != nil && last.Outcome != "" {
					return last, nil
				}
				return last, ErrLost
			}
			for _, l := range u.Log {
				if row := present.LogRowOf(l); row.Kind == present.LogLeader {
					if err := say(present.LogText(row)); err != nil {
						return last, err
					}
				}
			}
			if l := notices.Progress(u.Progress); l != "" {
				if err := say(l); err != nil {
					return last, err
				}
			}
			if u.Snapshot == nil {
				continue
			}
			notices.Snapshot(u.Snapshot)
			if err := say(present.Announce(last, u.Snapshot, false)...); err != nil {
				return last, err
			}
			last = u.Snapshot
			switch {
			case last.Outcome != "":
				return last, nil
			case present.Waits(last):
				return last, fmt.Errorf("%w at %s: %s", ErrWaits, last.Gate.Step, last.Gate.Title)
			case awaits && len(last.Awaited) > 0:
			case present.Still(last):
				if p := present.ProblemOf(last); p != nil {
					return last, fmt.Errorf("%w: %w", ErrStandsStill, p)
				}
				return last, ErrStandsStill
			}
		}
	}
}

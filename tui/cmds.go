package tui

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"raftmig/runbook"
	"raftmig/tui/present"
)

// link is the connection to the run as the model uses it: constructors of
// commands. It is the only place that calls the client.
type link struct {
	// listen waits for updates and gathers those of one frame.
	listen func(gen int) tea.Cmd
	send   func(c runbook.Command) tea.Cmd
	close  func()
}

// maxBatch bounds the log lines of one message. What comes faster than the
// screen can show waits in the client.
const maxBatch = 2000

// sendTimeout is how long a command may take to be answered by the run.
const sendTimeout = 15 * time.Second

func newLink(ctx context.Context, c runbook.Client, frame time.Duration) *link {
	return &link{
		listen: func(gen int) tea.Cmd {
			return func() tea.Msg { return gather(ctx, c.Updates(), gen, frame) }
		},
		send: func(cmd runbook.Command) tea.Cmd {
			return func() tea.Msg {
				ctx, cancel := context.WithTimeout(ctx, sendTimeout)
				defer cancel()
				return sentMsg{kind: cmd.Kind, err: c.Send(ctx, cmd)}
			}
		},
		close: func() { _ = c.Close() },
	}
}

// gather waits for an update and takes what follows within a frame.
func gather(ctx context.Context, updates <-chan runbook.Update, gen int, frame time.Duration) tea.Msg {
	b := batchMsg{gen: gen}
	select {
	case <-ctx.Done():
		return nil
	case u, ok := <-updates:
		if !ok {
			return batchMsg{gen: gen, at: time.Now(), closed: true}
		}
		b.add(u)
	}
	end := time.NewTimer(frame)
	defer end.Stop()
	for len(b.log) < maxBatch {
		select {
		case u, ok := <-updates:
			if !ok {
				b.closed, b.at = true, time.Now()
				return b
			}
			b.add(u)
			continue
		case <-ctx.Done():
		case <-end.C:
		}
		break
	}
	b.at = time.Now()
	return b
}

func (b *batchMsg) add(u runbook.Update) {
	if u.Snapshot != nil {
		b.snapshot = u.Snapshot
	}
	if u.Progress != nil {
		if b.progress == nil {
			b.progress = map[runbook.EffectID]runbook.Progress{}
		}
		b.progress[u.Progress.Effect] = *u.Progress
	}
	for _, l := range u.Log {
		b.log = append(b.log, present.LogRowOf(l))
	}
	if u.Clients != 0 {
		b.clients = u.Clients
	}
}

func tick(after time.Duration, seq int) tea.Cmd {
	return tea.Tick(after, func(at time.Time) tea.Msg { return tickMsg{seq: seq, at: at} })
}

// quiet is how long the keyboard must be quiet before a dialog that opened by
// itself takes keys.
const quiet = 700 * time.Millisecond

func grace(seq int) tea.Cmd {
	return tea.Tick(quiet, func(time.Time) tea.Msg { return graceMsg{seq: seq} })
}

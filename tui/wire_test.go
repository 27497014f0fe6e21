package tui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/stretchr/testify/require"

	"raftmig/runbook"
	"raftmig/tui/internal/script"
	"raftmig/tui/present"
	"raftmig/tui/screen"
)

// wire counts the bytes that go to the terminal from one state of the model to the next.
type wire struct {
	out bytes.Buffer
	w   *screen.Writer
}

func newWire() *wire {
	x := &wire{}
	x.w = screen.New(&x.out)
	return x
}

func (x *wire) cost(m model) int {
	x.out.Reset()
	x.w.Show(m.View(), m.width)
	_, _ = x.w.Write([]byte("\x1b[Hframe"))
	return x.out.Len()
}

// logLine is an ordinary log line, as wide as the pane allows.
func logLine(i int) []present.LogRow {
	return []present.LogRow{present.LogRowOf(runbook.LogLine{Node: "orderer0", Level: "INFO", At: script.Begin.Add(time.Duration(i) * time.Second),
		Text: fmt.Sprintf("2026-03-14 22:14:05.123 UTC [orderer.commmon.multichannel] commitBlock -> INFO 0a1 [channel: settlement] Wrote block [%d]", i)})}
}

// TestBytesOnTheWire measures what events cost on the steps page, after
// bubbletea's own renderer would have written 79 bytes for a digit and 4,887
// for a log line at 120x40 (each changed row in full).
func TestBytesOnTheWire(t *testing.T) {
	for _, size := range []struct{ w, h, paint, tick, progress, log, key int }{
		{80, 24, 2600, 40, 60, 190, 1000},
		{120, 40, 4200, 40, 60, 220, 1800},
	} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			var sc script.Scene
			for _, s := range script.Scenes() {
				if s.Name == "maintenance" {
					sc = s
				}
			}
			m := meet(sc, Options{}, size.w, size.h)
			for i := range 30 {
				m = send(m, batchMsg{gen: m.gen, at: m.now, log: logLine(i)})
			}
			x := newWire()
			within := func(what string, n, most int) {
				t.Logf("%-10s %5d bytes", what, n)
				require.LessOrEqual(t, n, most, what)
			}
			within("paint", x.cost(m), size.paint)
			require.Zero(t, x.cost(m), "nothing has changed")
			m = send(m, tickMsg{seq: m.tickSeq, at: m.now.Add(time.Second)})
			within("tick", x.cost(m), size.tick)
			p := *sc.Progress
			p.Done++
			m = send(m, batchMsg{gen: m.gen, at: m.now, progress: map[runbook.EffectID]runbook.Progress{p.Effect: p}})
			within("progress", x.cost(m), size.progress)
			m = send(m, batchMsg{gen: m.gen, at: m.now, log: logLine(31)})
			within("log line", x.cost(m), size.log)
			m = press(m, "k")
			within("key", x.cost(m), size.key)
			m = press(m, "l")
			x.cost(m)
			m = send(m, batchMsg{gen: m.gen, at: m.now, log: logLine(32)})
			within("log page", x.cost(m), size.log)
		})
	}
}

func TestAWaitingRunWritesNothing(t *testing.T) {
	for _, name := range []string{"gate-plain", "gate-severe", "failed", "migrated", "rolled-back"} {
		m, _ := at(t, name, Options{})
		m = press(m, "esc")
		m.notice = ""
		x := newWire()
		x.cost(m)
		for i := range 59 { // whatever arrives within the minute
			m = send(m, batchMsg{gen: m.gen, at: m.snap.StartedAt.Add(5*time.Minute + time.Duration(i)*time.Second), snapshot: m.snap})
			if i > 0 {
				require.Zero(t, x.cost(m), "%s writes while nothing happens", name)
			} else {
				x.cost(m)
			}
		}
	}
}

// terminal is an output that tells when a word was written.
type terminal struct {
	mu    sync.Mutex
	all   bytes.Buffer
	waits map[string]chan struct{}
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all.Write(p)
	for w, ch := range t.waits {
		if bytes.Contains(t.all.Bytes(), []byte(w)) {
			close(ch)
			delete(t.waits, w)
		}
	}
	return len(p), nil
}

func (t *terminal) wait(word string) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ch := make(chan struct{})
	if bytes.Contains(t.all.Bytes(), []byte(word)) {
		close(ch)
		return ch
	}
	t.waits[word] = ch
	return ch
}

// TestTheProgramWritesOnlyDifferences runs the real program: it fails if a
// bubbletea writes frames in a way that the screen writer does not know.
func TestTheProgramWritesOnlyDifferences(t *testing.T) {
	term := &terminal{waits: map[string]chan struct{}{}}
	out, show := output(term)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m := newModel(Options{}, deadLink())
	keys, hand := io.Pipe()
	p := tea.NewProgram(shell{model: m, show: show}, tea.WithContext(ctx), tea.WithAltScreen(), tea.WithFPS(60), tea.WithOutput(out), tea.WithInput(keys),
		tea.WithoutSignalHandler())
	done := make(chan error, 1)
	go func() {
		_, err := p.Run()
		done <- err
	}()
	await := func(word string) {
		select {
		case <-term.wait(word):
		case <-ctx.Done():
			t.Errorf("%q was never written", word)
		}
	}
	p.Send(tea.WindowSizeMsg{Width: 80, Height: 24})
	p.Send(batchMsg{at: script.Begin, snapshot: script.At(script.Small, runbook.StepEnterMaintenance), log: logLine(1)})
	await("Wrote block [1]")
	before := term.all.Len()
	p.Send(batchMsg{at: script.Begin, log: logLine(2)})
	await("block [2]")
	term.mu.Lock()
	require.Less(t, term.all.Len()-before, 300, "a log line cost %q", term.all.Bytes()[before:])
	term.mu.Unlock()
	_, err := hand.Write([]byte("q"))
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Contains(t, term.all.String(), "\x1b[?1049l", "the ordinary screen is not given back")
}

func TestLeavingTheProgramSaysGoodbye(t *testing.T) {
	term := &terminal{waits: map[string]chan struct{}{}}
	cfg := script.Config{Shape: script.Small, Unattended: true}
	cfg.Now, _ = script.Virtual()
	cfg.Wait = func(ctx context.Context, _ time.Duration) { <-ctx.Done() } // the run is still there when the key comes
	keys, hand := io.Pipe()
	var last *runbook.Snapshot
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), script.Play(t.Context(), cfg), Options{In: keys, Out: term, AttachHint: "raftmig attach", Last: func(s *runbook.Snapshot) { last = s }})
	}()
	<-term.wait("\x1b[?1049h")
	_, err := hand.Write([]byte("q"))
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Contains(t, term.all.String(), "Left the screen")
	_ = last // nothing may have come before the key
}

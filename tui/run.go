package tui

import (
	"context"
	"errors"
	"fmt"
	"os"

	_ "charm.early/dark" // before bubbletea
	tea "github.com/charmbracelet/bubbletea"

	"raftmig/runbook"
)

// Run shows a run until the operator leaves or, after the run has ended, until
// the screen is closed. It closes the client, never the run. The error is nil
// however the run stands; Options.Last tells.
func Run(ctx context.Context, client runbook.Client, opts Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newModel(opts, newLink(ctx, client, opts.frame()))
	if opts.Reattach != nil {
		m.reattach = func() tea.Cmd { return reattach(ctx, opts) }
	}
	out, show := output(opts.Out)
	po := []tea.ProgramOption{tea.WithContext(ctx), tea.WithAltScreen(), tea.WithFPS(fps(opts)), tea.WithOutput(out)}
	if opts.In != nil {
		po = append(po, tea.WithInput(opts.In))
	}
	end, err := tea.NewProgram(shell{model: m, show: show}, po...).Run()
	last := m
	if s, ok := end.(shell); ok {
		last = s.model
	}
	last.link.close()
	if opts.Last != nil {
		opts.Last(last.snap)
	}
	if errors.Is(err, tea.ErrInterrupted) || ctx.Err() != nil {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("terminal screen: %w", err)
	}
	sayGoodbye(opts, last)
	return nil
}

// sayGoodbye says on the ordinary screen what the run does now.
func sayGoodbye(opts Options, m model) {
	out := opts.Out
	if out == nil {
		out = os.Stdout
	}
	for _, l := range m.goodbye() {
		fmt.Fprintln(out, l)
	}
}

func reattach(ctx context.Context, opts Options) tea.Cmd {
	return func() tea.Msg {
		ctx2, cancel := context.WithTimeout(ctx, sendTimeout)
		defer cancel()
		c, err := opts.Reattach(ctx2)
		if err != nil {
			return reattachedMsg{err: err}
		}
		return reattachedMsg{link: newLink(ctx, c, opts.frame())}
	}
}

// fps caps the frames a second. Keys are answered in the next frame, so even a
// slow link has a few; what comes from the run is gathered over Options.frame.
func fps(o Options) int {
	if o.SlowLink {
		return 4
	}
	return 10
}

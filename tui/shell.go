package tui

import (
	"io"
	"os"

	tea "github.com/charmbracelet/bubbletea"

	"raftmig/tui/screen"
)

// shell hands every frame of the model to the screen writer. It is the only
// model whose View has an effect.
type shell struct {
	model
	show func(frame string, width int)
}

// Update implements tea.Model.
func (s shell) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	next, cmd := s.model.Update(msg)
	if m, ok := next.(model); ok {
		s.model = m
	}
	return s, cmd
}

// View implements tea.Model.
func (s shell) View() string {
	frame := s.model.View()
	s.show(frame, s.width)
	return frame
}

// output is the terminal, seen through a writer that sends only what changed.
func output(out io.Writer) (io.Writer, func(frame string, width int)) {
	if out == nil {
		out = os.Stdout
	}
	if f, ok := out.(*os.File); ok {
		w := screen.NewFile(f)
		return w, w.Show
	}
	w := screen.New(out)
	return w, w.Show
}

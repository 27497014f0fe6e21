// Package dark keeps bubbletea from asking the terminal for its background
// colour. bubbletea v1 asks when the program starts, whatever command is run: a
// round trip on every call over a slow line, five seconds where the terminal
// does not answer, and an answer that comes too late is typed into the shell.
// Our colours do not depend on the background.
//
// What answers the question first must be initialized after lipgloss and before
// bubbletea. Go initializes packages that are ready in the order of their import
// paths, so this one's must sort before github.com: hence a module of its own.
package dark

import "github.com/charmbracelet/lipgloss"

func init() { lipgloss.SetHasDarkBackground(true) }

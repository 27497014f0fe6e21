// Package present turns a run's snapshot into words: rows, badges and lines of
// text with a tone. It is pure: no clock, no terminal, no width. All wording of
// the screens and of the plain prompts lives here, so that both say the same.
//
// Everything that comes from outside (log lines, errors, names) goes through
// Clean before it becomes a Span; a terminal escape in a log line stays inert.
package present

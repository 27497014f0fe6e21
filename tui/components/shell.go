package components

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// tooNarrow is a width below which commands are broken without marks.
const tooNarrow = 8

// shell is where in a shell command one is: in which quotes, after a
// backslash, in a comment.
type shell struct {
	quote   byte // ', " or 0
	escaped bool
	comment bool
	inWord  bool
}

// take moves on by a byte.
func (s *shell) take(c byte) {
	switch {
	case c == '\n':
		s.escaped, s.comment = false, false
	case s.comment:
	case s.escaped:
		s.escaped = false
	case c == '\\' && s.quote != '\'':
		s.escaped = true
	case s.quote == c:
		s.quote = 0
	case s.quote != 0:
	case c == '\'' || c == '"':
		s.quote = c
	case c == '#' && !s.inWord:
		s.comment = true
	}
	s.inWord = c != ' ' && c != '\n'
}

// after is where one is after more of the command.
func (s shell) after(text string) shell {
	for i := range len(text) {
		s.take(text[i])
	}
	return s
}

// fold breaks a line of a command into rows of at most width columns, so that
// what is taken off the screen is still that command: rows that go on end in a
// backslash, after a space where that can be. Single quotes, in which a
// backslash is none, are closed before it and opened again after it; a remark
// goes on as another. s is where
// the line begins, and afterwards where it ends.
func (s *shell) fold(line string, width int) []string {
	var rows []string
	for ansi.StringWidth(line) > width {
		row, rest := s.breakAt(line, width)
		if row == "" { // a rune wider than the row
			break
		}
		rows, line = append(rows, row), rest
	}
	*s = s.after(line + "\n")
	return append(rows, line)
}

// breakAt cuts a row off a line.
func (s *shell) breakAt(line string, width int) (row, rest string) {
	var at, space int // the last places where a backslash may stand
	var atState, spaceState shell
	now := *s
	for i := 0; i < len(line); {
		_, n := utf8.DecodeRuneInString(line[i:])
		if ansi.StringWidth(line[:i+n]) > width-1 {
			break
		}
		for range n {
			now.take(line[i])
			i++
		}
		if now.quote == '\'' || now.escaped || now.comment {
			continue
		}
		at, atState = i, now
		if line[i-1] == ' ' && strings.TrimSpace(line[:i]) != "" {
			space, spaceState = i, now
		}
	}
	switch {
	case width < tooNarrow:
	case space > 0:
		*s = spaceState
		return line[:space] + `\`, line[space:]
	case at > 0:
		*s = atState
		return line[:at] + `\`, line[at:]
	default:
		head := ansi.Truncate(line, width-2, "")
		if now := s.after(head); now.quote == '\'' {
			now.quote = 0
			*s = now
			return head + `'\`, "'" + line[len(head):]
		}
	}
	row, mark := ansi.Truncate(line, width, ""), ""
	if *s = s.after(row); s.comment {
		mark = "# "
	}
	s.take('\n')
	return row, mark + line[len(row):]
}

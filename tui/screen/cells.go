package screen

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// cell is one column of a row. The second column of a wide character has no text.
type cell struct {
	text  string
	style string // parameters of the SGR sequence, "" for the default
}

var blank = cell{text: " "}

// parse cuts a row of text and SGR sequences into cells. Other sequences and
// control characters are left out.
func parse(row string) []cell {
	cells := make([]cell, 0, len(row))
	style, state := "", byte(0)
	p := ansi.GetParser()
	defer ansi.PutParser(p)
	for len(row) > 0 {
		seq, width, n, next := ansi.DecodeSequence(row, state, p)
		if n <= 0 {
			break
		}
		switch {
		case width > 0:
			cells = append(cells, cell{seq, style})
			for range width - 1 {
				cells = append(cells, cell{"", style})
			}
		case strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m"):
			style = merge(style, seq[2:len(seq)-1])
		}
		row, state = row[n:], next
	}
	return cells
}

// merge is the style after another SGR sequence.
func merge(style, params string) string {
	switch {
	case params == "" || params == "0":
		return ""
	case strings.HasPrefix(params, "0;"):
		return params[2:]
	case style == "":
		return params
	default:
		return style + ";" + params
	}
}

// trim leaves out the blanks at the end.
func trim(cells []cell) []cell {
	for len(cells) > 0 && cells[len(cells)-1] == blank {
		cells = cells[:len(cells)-1]
	}
	return cells
}

// known reports whether the width of every character of a row is beyond
// doubt: ASCII, and the signs that the styles draw with.
func known(row string) bool {
	for _, r := range row {
		if r >= 0x7f && !strings.ContainsRune("✓»✗·─│┌┐└┘█░…›", r) {
			return false
		}
	}
	return true
}

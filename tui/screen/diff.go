package screen

import (
	"strconv"
)

// diff is the bytes that turn a terminal of width columns from showing prev
// into showing next. Both have the same number of rows. The cursor may be
// anywhere before and is anywhere after; the style is the default before and after.
func diff(prev, next []string, width int) []byte {
	p := pen{row: -1, width: width}
	prev = p.scroll(prev, next)
	for i := range next {
		if i < len(prev) && prev[i] == next[i] {
			continue
		}
		was := ""
		if i < len(prev) {
			was = prev[i]
		}
		p.change(i, was, next[i])
	}
	p.setStyle("")
	return p.out
}

// paint is the bytes that show next on a terminal in any state.
func paint(next []string, width int) []byte {
	p := pen{row: -1, width: width, out: []byte("\x1b[m\x1b[2J")}
	for i := range next {
		p.change(i, "", next[i])
	}
	p.setStyle("")
	return p.out
}

// pen writes to a terminal and knows where its cursor is.
type pen struct {
	out      []byte
	row, col int // of the cursor; row -1 if unknown
	style    string
	width    int
}

func (p *pen) csi(params string, final byte) {
	p.out = append(p.out, "\x1b["...)
	p.out = append(p.out, params...)
	p.out = append(p.out, final)
}

// moveTo puts the cursor on a cell, the shorter way.
func (p *pen) moveTo(row, col int) {
	switch {
	case p.row == row && p.col == col:
	case p.row == row && col > p.col:
		n := ""
		if col-p.col > 1 {
			n = strconv.Itoa(col - p.col)
		}
		p.csi(n, 'C')
	case col == 0:
		p.csi(strconv.Itoa(row+1), 'H')
	default:
		p.csi(strconv.Itoa(row+1)+";"+strconv.Itoa(col+1), 'H')
	}
	p.row, p.col = row, col
}

func (p *pen) setStyle(style string) {
	switch {
	case p.style == style:
		return
	case style == "":
		p.csi("", 'm')
	case p.style == "":
		p.csi(style, 'm')
	default:
		p.csi("0;"+style, 'm')
	}
	p.style = style
}

func (p *pen) write(cells []cell) {
	for _, c := range cells {
		p.setStyle(c.style)
		p.out = append(p.out, c.text...)
	}
	if p.col += len(cells); p.col >= p.width { // the cursor hangs over the edge
		p.row = -1
	}
}

// eraseRest blanks the row from the cursor on.
func (p *pen) eraseRest() {
	p.setStyle("")
	p.csi("", 'K')
}

// gap is the widest stretch of unchanged cells that is written over rather
// than skipped: skipping costs a sequence of at least this length.
const gap = 4

// change turns one row from showing prev into showing next.
func (p *pen) change(row int, prev, next string) {
	was, want := trim(parse(prev)), trim(parse(next))
	if len(want) > p.width {
		want = want[:p.width]
	}
	if !known(prev) || !known(next) {
		p.moveTo(row, 0)
		p.write(want)
		if len(want) < p.width {
			p.eraseRest()
		}
		return
	}
	for i := 0; i < len(want); {
		if i < len(was) && was[i] == want[i] || i >= len(was) && want[i] == blank {
			i++
			continue
		}
		end := p.spanEnd(was, want, i)
		p.moveTo(row, i)
		p.write(want[i:end])
		i = end
	}
	if len(was) > len(want) {
		p.moveTo(row, len(want))
		p.eraseRest()
	}
}

// spanEnd is the end of the cells to write from i on: up to an unchanged
// stretch that is worth skipping.
func (p *pen) spanEnd(was, want []cell, i int) int {
	end := i + 1
	for j := i + 1; j < len(want); j++ {
		same := j < len(was) && was[j] == want[j]
		if !same {
			end = j + 1
		} else if j-end >= gap {
			break
		}
	}
	return end
}

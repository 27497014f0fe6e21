package screen

import "strconv"

// maxShift bounds how far rows are looked for; farther, most of the pane is new anyway.
const maxShift = 24

// scroll moves rows on the terminal that next shows elsewhere than prev, if
// that saves bytes, and returns what the terminal shows then.
func (p *pen) scroll(prev, next []string) []string {
	if len(prev) != len(next) {
		return prev
	}
	best, gain := run{}, 48 // moving costs about this much
	for k := 1; k <= maxShift && k < len(next); k++ {
		for _, shift := range []int{k, -k} {
			if r, g := longestRun(prev, next, shift); g > gain {
				best, gain = r, g
			}
		}
	}
	if best.length == 0 {
		return prev
	}
	return p.move(prev, best)
}

// run is a stretch of rows of the next frame, from row start on, that the
// terminal shows shift rows further down (shift > 0) or up (shift < 0).
type run struct{ start, length, shift int }

// longestRun finds the run of one shift that saves the most bytes.
func longestRun(prev, next []string, shift int) (best run, gain int) {
	r, g := run{shift: shift}, 0
	for i := 0; i <= len(next); i++ {
		if i < len(next) && i+shift >= 0 && i+shift < len(prev) && next[i] == prev[i+shift] {
			if r.length == 0 {
				r.start = i
			}
			r.length++
			if next[i] != prev[i] {
				g += len(next[i])
			} else { // it stays by itself, and would be moved for nothing
				g -= len(next[i])
			}
			continue
		}
		if g > gain {
			best, gain = r, g
		}
		r, g = run{shift: shift}, 0
	}
	return best, gain
}

// move lets the terminal move the rows of a run.
func (p *pen) move(prev []string, r run) []string {
	top, bottom := r.start, r.start+r.length-1+r.shift // of the region, inclusive
	n, final := r.shift, byte('M')                     // delete lines at the top: rows move up
	if r.shift < 0 {
		top, bottom = r.start+r.shift, r.start+r.length-1
		n, final = -r.shift, 'L' // insert lines at the top: rows move down
	}
	p.csi(strconv.Itoa(top+1)+";"+strconv.Itoa(bottom+1), 'r')
	p.row = -1 // setting the region moves the cursor
	p.moveTo(top, 0)
	count := ""
	if n > 1 {
		count = strconv.Itoa(n)
	}
	p.csi(count, final)
	p.csi("", 'r')
	p.row = -1

	out := append([]string(nil), prev...)
	for i := top; i <= bottom; i++ {
		out[i] = ""
		if from := i + r.shift; from >= top && from <= bottom {
			out[i] = prev[from]
		}
	}
	return out
}

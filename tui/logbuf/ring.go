// Package logbuf keeps the newest log rows and the rows of them that pass the
// filter. Memory is bounded; so is the work per new line.
package logbuf

import "raftmig/tui/present"

// Ring is a bounded list of rows, oldest first. The zero value keeps nothing;
// use New. It is not safe for concurrent use.
type Ring struct {
	limit   int
	rows    []present.LogRow
	shown   []present.LogRow // of rows, those that pass
	filter  string
	show    present.LogShow
	leaders int
}

// New makes a ring of at most limit rows.
func New(limit int) *Ring { return &Ring{limit: max(1, limit)} }

// Append adds rows; the oldest fall out.
func (r *Ring) Append(rows ...present.LogRow) {
	for _, row := range rows {
		if row.Kind == present.LogLeader {
			r.leaders++
		}
		r.rows = append(r.rows, row)
		if r.pass(row) {
			r.shown = append(r.shown, row)
		}
	}
	// Trim at twice the limit, so that the cost of moving is spread.
	if len(r.rows) > 2*r.limit {
		r.rows = append(r.rows[:0:0], r.rows[len(r.rows)-r.limit:]...)
		r.refilter()
	}
}

// SetFilter shows only rows that hold the words of filter and whose kind show
// shows.
func (r *Ring) SetFilter(filter string, show present.LogShow) {
	if filter == r.filter && show == r.show {
		return
	}
	r.filter, r.show = filter, show
	r.refilter()
}

// Filter is the filter in force.
func (r *Ring) Filter() (filter string, show present.LogShow) { return r.filter, r.show }

// Shown are the rows that pass the filter, at most limit of them. The slice is the ring's own.
func (r *Ring) Shown() []present.LogRow { return r.shown[max(0, len(r.shown)-r.limit):] }

// Len is the number of rows kept.
func (r *Ring) Len() int { return min(len(r.rows), r.limit) }

// Leaders is the number of leader lines ever seen.
func (r *Ring) Leaders() int { return r.leaders }

func (r *Ring) pass(row present.LogRow) bool {
	return r.show.Shows(row.Kind) && row.Match(r.filter)
}

func (r *Ring) refilter() {
	r.shown = r.shown[:0:0]
	for _, row := range r.rows {
		if r.pass(row) {
			r.shown = append(r.shown, row)
		}
	}
}

package fabricops

import (
	"fmt"
	"sync"
	"time"

	"raftmig/fabricops/backup"
	"raftmig/runbook"
)

// byteInterval is the least time between two reports of bytes.
const byteInterval = 200 * time.Millisecond

// report sends the progress of one effect. It is safe for concurrent use.
type report struct {
	effect runbook.EffectID
	send   func(runbook.Progress)

	mu      sync.Mutex
	done    int64
	all     int64
	unit    string
	phase   string // of a copy
	last    time.Time
	started time.Time
	alarmed string // what keeps the effect from going on, "" if nothing does
}

func reporter(e runbook.Effect, send func(runbook.Progress)) *report {
	if send == nil {
		send = func(runbook.Progress) {}
	}
	return &report{effect: e.ID, send: send}
}

// total says how many there are of what step counts.
func (r *report) total(n int64, unit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all, r.unit, r.done = n, unit, 0
}

// text reports without counting.
func (r *report) text(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say(text)
}

// say sends text with the numbers, or what the effect waits for in its place:
// the rest only follows from that. r.mu is held.
func (r *report) say(text string) {
	if r.alarmed != "" {
		text = r.alarmed
	}
	r.send(runbook.Progress{Effect: r.effect, Text: text, Done: r.done, Total: r.all, Unit: r.unit, Alarm: r.alarmed != ""})
}

// alarm reports what keeps the effect from going on.
func (r *report) alarm(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarmed = text
	r.say(text)
}

// over reports that nothing keeps the effect from going on any more.
func (r *report) over(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarmed = ""
	r.say(text)
}

// step reports that one more is complete.
func (r *report) step(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.say(text)
}

// show reports with numbers.
func (r *report) show(text string, done, total int64, unit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.all, r.unit = done, total, unit
	r.say(text)
}

// bytes reports copied bytes with their rate and the time that is left at this
// rate, a few times a second.
func (r *report) bytes(now func() time.Time) backup.Progress {
	return func(text string, done, total int64) {
		at := now()
		r.mu.Lock()
		defer r.mu.Unlock()
		if phase := text; phase[:min(4, len(phase))] != r.phase {
			r.phase, r.started, r.last = phase[:min(4, len(phase))], at, time.Time{}
		}
		if done < total && at.Sub(r.last) < byteInterval {
			return
		}
		r.last = at
		if s := at.Sub(r.started).Seconds(); s > 1 && done > 0 {
			text = fmt.Sprintf("%s, %.1f MB/s", text, float64(done)/s/1e6)
			if left := time.Duration(float64(total-done) / float64(done) * s * float64(time.Second)); left >= time.Second {
				text += fmt.Sprintf(", %s left", left.Round(time.Second))
			}
		}
		r.send(runbook.Progress{Effect: r.effect, Text: text, Done: done, Total: total, Unit: "bytes"})
	}
}

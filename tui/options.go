package tui

import (
	"context"
	"io"
	"time"

	"raftmig/runbook"
)

// Options are how a run is shown. The zero value is a colour terminal in the
// local time zone.
type Options struct {
	NoColor  bool // bold, faint and reverse only
	ASCII    bool // no line drawing, no signs beyond ASCII
	SlowLink bool // changes once a second, marked log lines only
	ReadOnly bool // answers, abort, retry and give up are off
	// By is who sits here, user@host; it goes with every answer.
	By string
	// Local is the time zone shown beside UTC; nil means time.Local.
	Local *time.Location
	// InProcess says that the run lives in this process and dies with it;
	// leaving then asks first.
	InProcess bool
	// Reattach connects anew after the connection is lost; nil if it cannot.
	Reattach func(ctx context.Context) (runbook.Client, error)
	// AttachHint is the command that comes back to the run, shown when the
	// connection is lost.
	AttachHint string
	// LogLines bounds the log kept in memory; 0 means 10,000.
	LogLines int
	// Last, if set, is called before Run returns with the last snapshot
	// received, nil if none was.
	Last func(*runbook.Snapshot)
	// In and Out are the terminal; nil means standard input and output.
	In  io.Reader
	Out io.Writer
}

const defaultLogLines = 10_000

func (o Options) logLines() int {
	if o.LogLines > 0 {
		return o.LogLines
	}
	return defaultLogLines
}

func (o Options) local() *time.Location {
	if o.Local != nil {
		return o.Local
	}
	return time.Local
}

// frame is the time over which what comes from the run is gathered into one
// message. On a 9600 baud line one change a second is all there is room for.
func (o Options) frame() time.Duration {
	if o.SlowLink {
		return time.Second
	}
	return 100 * time.Millisecond
}

// tick is how often running clocks move on.
func (o Options) tick() time.Duration {
	if o.SlowLink {
		return 5 * time.Second
	}
	return time.Second
}

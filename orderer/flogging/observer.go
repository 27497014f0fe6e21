package flogging

import (
	"go.uber.org/zap/zapcore"

	"raftmig/orderer/metrics"
)

// observer counts entries by level; a nil one counts nothing.
type observer struct {
	checked, written metrics.Counter
}

func newObserver(p metrics.Provider) *observer {
	opts := func(name, help string) metrics.Opts {
		return metrics.Opts{
			Namespace: "logging", Name: name, Help: help, LabelNames: []string{"level"},
			StatsdFormat: "%{#fqname}.%{level}",
		}
	}
	return &observer{
		checked: p.NewCounter(opts("entries_checked", "Number of log entries checked against the active logging level")),
		written: p.NewCounter(opts("entries_written", "Number of log entries that are written")),
	}
}

func (o *observer) check(level zapcore.Level) {
	if o != nil {
		o.checked.With("level", level.String()).Add(1)
	}
}

func (o *observer) write(level zapcore.Level) {
	if o != nil {
		o.written.With("level", level.String()).Add(1)
	}
}

package etcdraft

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// libraryLogger lets the Raft library log through the channel's logger. What
// the library calls fatal is a panic here: the raft loop turns it into an error
// of its channel.
type libraryLogger struct{ *zap.SugaredLogger }

func (l libraryLogger) Warning(v ...interface{})                 { l.Warn(v...) }
func (l libraryLogger) Warningf(format string, v ...interface{}) { l.Warnf(format, v...) }
func (l libraryLogger) Panic(v ...interface{})                   { panic(fmt.Sprint(v...)) }
func (l libraryLogger) Panicf(format string, v ...interface{})   { panic(fmt.Sprintf(format, v...)) }
func (l libraryLogger) Fatal(v ...interface{})                   { l.Panic(v...) }
func (l libraryLogger) Fatalf(format string, v ...interface{})   { l.Panicf(format, v...) }

// warningsOnly returns a logger for the WAL and snapshot libraries, which are
// talkative, that lets warnings and worse through where log does. (The option
// IncreaseLevel does not go with loggers whose level changes.)
func warningsOnly(log *zap.SugaredLogger) *zap.Logger {
	return log.Desugar().WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return warningCore{core} }))
}

type warningCore struct{ zapcore.Core }

func (c warningCore) Enabled(l zapcore.Level) bool {
	return l >= zapcore.WarnLevel && c.Core.Enabled(l)
}

func (c warningCore) With(fields []zapcore.Field) zapcore.Core {
	return warningCore{c.Core.With(fields)}
}

func (c warningCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Level < zapcore.WarnLevel {
		return ce
	}
	return c.Core.Check(e, ce)
}

// Package flogging writes log lines in Fabric's formats (spec 8.7): the format
// strings of 1.4 to 2.5, json and logfmt, with levels per logger that may be
// changed while the process runs.
//
// A line of the default format is
//
//	2019-05-26 10:07:44.075 UTC 0047 INFO [orderer.consensus.etcdraft] run -> Raft leader changed: 0 -> 1 channel=ch1 node=2
//
// where 0047 is a sequence number, run the function that logged, and what
// follows the message are the logger's fields as key=value.
package flogging

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"raftmig/orderer/metrics"
)

// Formats of Config besides a format string.
const (
	FormatJSON   = "json"
	FormatLogfmt = "logfmt"
)

// DefaultFormat is the format string of Fabric 2.5.
const DefaultFormat = "%{color}%{time:2006-01-02 15:04:05.000 MST} %{id:04x} %{level:.4s}%{color:reset} [%{module}] %{color:bold}%{shortfunc}%{color:reset} -> %{message}"

// Config says how to log.
type Config struct {
	// Format is a format string, "json" or "logfmt"; empty means DefaultFormat.
	Format string
	// LogSpec is the first specification of levels; empty means info.
	LogSpec string
	// Writer takes the lines, one per call; nil means standard error.
	Writer io.Writer
	// Clock gives the time of an entry; nil means the system's.
	Clock zapcore.Clock
}

// Logging makes loggers and holds their levels. It is safe for concurrent use.
type Logging struct {
	encode func(buf *buffer.Buffer, e zapcore.Entry, fields []zapcore.Field) error
	spec   atomic.Pointer[spec]
	seen   atomic.Pointer[observer]
	clock  zapcore.Clock

	mu       sync.Mutex // guards writer and sequence: numbers appear in order
	writer   io.Writer
	sequence uint64
}

// New returns the logging that c asks for, or the error in its LogSpec.
func New(c Config) (*Logging, error) {
	l := &Logging{writer: c.Writer, clock: c.Clock}
	if l.writer == nil {
		l.writer = os.Stderr
	}
	if l.clock == nil {
		l.clock = zapcore.DefaultClock
	}
	switch c.Format {
	case FormatJSON:
		l.encode = encodeJSON
	case FormatLogfmt:
		l.encode = encodeLogfmt
	case "":
		l.encode = l.formatted(parseFormat(DefaultFormat))
	default:
		l.encode = l.formatted(parseFormat(c.Format))
	}
	if err := l.ActivateSpec(c.LogSpec); err != nil {
		return nil, err
	}
	return l, nil
}

// Logger returns a logger of that name, e.g. "orderer.consensus.kafka".
func (l *Logging) Logger(name string) *zap.SugaredLogger {
	return zap.New(&core{logging: l}, zap.AddCaller(), zap.WithClock(l.clock)).Named(name).Sugar()
}

// ActivateSpec changes the levels of all loggers, also of those made before.
// On an error nothing changes.
func (l *Logging) ActivateSpec(text string) error {
	s, err := parseSpec(text)
	if err != nil {
		return err
	}
	l.spec.Store(s)
	return nil
}

// Spec returns the specification in force, in its normal form.
func (l *Logging) Spec() string { return l.spec.Load().String() }

// Observe counts entries with p from now on.
func (l *Logging) Observe(p metrics.Provider) {
	l.seen.Store(newObserver(p))
}

// buffers is shared by all Logging; it holds no state but memory.
var buffers = buffer.NewPool()

func (l *Logging) write(e zapcore.Entry, fields []zapcore.Field) error {
	buf := buffers.Get()
	defer buf.Free()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.encode(buf, e, fields); err != nil {
		return err
	}
	_, err := l.writer.Write(buf.Bytes())
	return err
}

// core is the zapcore.Core of one logger.
type core struct {
	logging *Logging
	fields  []zapcore.Field
}

func (c *core) Enabled(level zapcore.Level) bool { return level >= c.logging.spec.Load().lowest }

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	all := make([]zapcore.Field, 0, len(c.fields)+len(fields))
	return &core{logging: c.logging, fields: append(append(all, c.fields...), fields...)}
}

func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	c.logging.seen.Load().check(e.Level)
	if e.Level < c.logging.spec.Load().level(e.LoggerName) {
		return ce
	}
	return ce.AddCore(e, c)
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.logging.seen.Load().write(e.Level)
	if len(c.fields) > 0 {
		fields = append(append(make([]zapcore.Field, 0, len(c.fields)+len(fields)), c.fields...), fields...)
	}
	return c.logging.write(e, fields)
}

func (c *core) Sync() error { return nil }

// Panicf writes a line at level PANIC, as Fabric does before it panics, and
// returns its text as an error: what ends the process is the caller's decision.
func Panicf(logger *zap.SugaredLogger, format string, args ...any) error {
	return last(logger, zapcore.PanicLevel, fmt.Errorf(format, args...))
}

// Fatalf is Panicf at level FATAL.
func Fatalf(logger *zap.SugaredLogger, format string, args ...any) error {
	return last(logger, zapcore.FatalLevel, fmt.Errorf(format, args...))
}

// last writes past the logger's own handling of the two levels, which would
// end the process.
func last(logger *zap.SugaredLogger, level zapcore.Level, err error) error {
	log := logger.Desugar()
	e := zapcore.Entry{Level: level, Time: time.Now(), LoggerName: log.Name(), Message: err.Error()}
	if pc, file, line, ok := runtime.Caller(2); ok {
		e.Caller = zapcore.NewEntryCaller(pc, file, line, ok)
		e.Caller.Function = runtime.FuncForPC(pc).Name()
	}
	_ = log.Core().Write(e, nil) // nowhere to report it
	return err
}

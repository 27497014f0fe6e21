package flogging

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

const (
	plain25 = "%{time:2006-01-02 15:04:05.000 MST} %{id:04x} %{level:.4s} [%{module}] %{shortfunc} -> %{message}"
	plain22 = "%{time:2006-01-02 15:04:05.000 MST} [%{module}] %{shortfunc} -> %{level:.4s} %{id:03x} %{message}"
)

// record is a line of Fabric with the lines that continue it.
type record struct {
	line                   string
	when                   time.Time
	id                     uint64
	level, module, fn, msg string
}

var (
	line25 = regexp.MustCompile(`(?s)^(\S+ \S+ UTC) (?P<id>[0-9a-f]+) (?P<level>[A-Z]{4}) \[(?P<module>[^\]]*)\] (?P<fn>\S+) -> (?P<msg>.*)$`)
	line22 = regexp.MustCompile(`(?s)^(\S+ \S+ UTC) \[(?P<module>[^\]]*)\] (?P<fn>\S+) -> (?P<level>[A-Z]{4}) (?P<id>[0-9a-f]+) (?P<msg>.*)$`)
)

func readRecords(t *testing.T, path string, pattern *regexp.Regexp) []record {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var texts []string
	for s := bufio.NewScanner(z); s.Scan(); {
		if pattern.MatchString(s.Text()) {
			texts = append(texts, s.Text())
			continue
		}
		require.NotEmpty(t, texts)
		texts[len(texts)-1] += "\n" + s.Text()
	}
	var records []record
	for _, text := range texts {
		m := pattern.FindStringSubmatch(text)
		group := func(name string) string { return m[pattern.SubexpIndex(name)] }
		when, err := time.Parse("2006-01-02 15:04:05.000 MST", m[1])
		require.NoError(t, err)
		id, err := strconv.ParseUint(group("id"), 16, 64)
		require.NoError(t, err)
		records = append(records, record{text, when, id, group("level"), group("module"), group("fn"), group("msg")})
	}
	require.NotEmpty(t, records)
	return records
}

func TestEveryLineOfRealOrderersIsReproduced(t *testing.T) {
	for _, test := range []struct {
		file, format string
		pattern      *regexp.Regexp
	}{
		{"fabric-2.5.16.kafka", plain25, line25}, {"fabric-2.5.16.raft", plain25, line25},
		{"fabric-2.2.15.kafka", plain22, line22}, {"fabric-2.2.15.raft", plain22, line22},
	} {
		t.Run(test.file, func(t *testing.T) {
			var out bytes.Buffer
			l, err := New(Config{Format: test.format, Writer: &out})
			require.NoError(t, err)
			for _, r := range readRecords(t, "testdata/"+test.file+".log.gz", test.pattern) {
				out.Reset()
				level := levels[map[string]string{"INFO": "info", "WARN": "warn", "ERRO": "error", "DEBU": "debug", "PANI": "panic"}[r.level]]
				l.sequence = r.id - 1 // real orderers number and write without one lock
				e := zapcore.Entry{Level: level, Time: r.when, LoggerName: r.module, Message: r.msg}
				e.Caller.Function = "a/b.(*T)." + r.fn
				require.NoError(t, (&core{logging: l}).Write(e, nil))
				require.Equal(t, r.line+"\n", out.String())
			}
		})
	}
}

type fixedClock struct{ time.Time }

func (c fixedClock) Now() time.Time                     { return c.Time }
func (fixedClock) NewTicker(time.Duration) *time.Ticker { return nil }

func newTest(t *testing.T, format, spec string) (*Logging, *bytes.Buffer) {
	out := &bytes.Buffer{}
	when := time.Date(2026, 11, 22, 1, 48, 16, 7_000_000, time.UTC)
	l, err := New(Config{Format: format, LogSpec: spec, Writer: out, Clock: fixedClock{when}})
	require.NoError(t, err)
	return l, out
}

func TestFieldsFollowTheMessage(t *testing.T) {
	l, out := newTest(t, plain25, "")
	l.Logger("orderer.consensus.etcdraft").With("channel", "ch1", "node", 2).Infof("Raft leader changed: %d -> %d", 0, 1)
	require.Equal(t, "2026-11-22 01:48:16.007 UTC 0001 INFO [orderer.consensus.etcdraft] TestFieldsFollowTheMessage -> Raft leader changed: 0 -> 1 channel=ch1 node=2\n", out.String())
	out.Reset()
	l.Logger("comm.grpc.server").Infow("streaming call completed", "grpc.service", "orderer.AtomicBroadcast",
		"error", errors.New("rpc error: code = Canceled desc = context canceled"), "grpc.code", "Canceled",
		"grpc.call_duration", 11296706*time.Nanosecond, "at", time.Unix(0, 0).UTC(), "list", []string{"a", "b"}, "empty", "", "nothing", nil)
	require.True(t, strings.HasSuffix(out.String(), `-> streaming call completed grpc.service=orderer.AtomicBroadcast error="rpc error: code = Canceled desc = context canceled" grpc.code=Canceled grpc.call_duration=11.296706ms at=1970-01-01T00:00:00Z list="[a b]" empty= nothing=null`+"\n"), out.String())
}

func TestDefaultFormatHasFabricsColours(t *testing.T) {
	l, out := newTest(t, "", "debug")
	log := l.Logger("m")
	for _, write := range []struct {
		f      func(...any)
		code   string
		letter string
	}{{log.Debug, "36", "DEBU"}, {log.Info, "34", "INFO"}, {log.Warn, "33", "WARN"}, {log.Error, "31", "ERRO"}} {
		out.Reset()
		write.f("text\n")
		require.Regexp(t, `^\x1b\[`+write.code+`m2026-11-22 01:48:16\.007 UTC 000[1-4] `+write.letter+`\x1b\[0m \[m\] \x1b\[`+write.code+`;1mTestDefaultFormatHasFabricsColours\x1b\[0m -> text\n$`, out.String())
	}
}

func TestJSONAndLogfmt(t *testing.T) {
	l, out := newTest(t, FormatJSON, "")
	l.Logger("a.b").With("channel", "c").Info("hello")
	require.Regexp(t, `^\{"level":"info","ts":1795312096\.007,"name":"a\.b","caller":"flogging/flogging_test\.go:\d+","msg":"hello","channel":"c"\}\n$`, out.String())
	l, out = newTest(t, FormatLogfmt, "")
	l.Logger("a.b").With("channel", "c").Info("hello there")
	require.Regexp(t, `^ts=1795312096\.007 level=info name=a\.b caller=flogging/flogging_test\.go:\d+ msg="hello there" channel=c\n$`, out.String())
}

func TestSpecifications(t *testing.T) {
	for _, test := range []struct {
		spec, normal string
		levels       map[string]string
	}{
		{"", "info", map[string]string{"a": "info"}},
		{"DEBUG", "debug", map[string]string{"a.b": "debug"}},
		{"debug:a=warn", "a=warn:debug", map[string]string{"a": "warn", "a.b": "warn", "ab": "debug", "x": "debug"}},
		{"a=debug:info", "a=debug:info", map[string]string{"a.b.c": "debug", "b": "info"}},
		{"a,b.c=error:a.b.=payload", "a.b.=payload:a=error:b.c=error:info", map[string]string{"a.b": "payload", "a.b.c": "error", "b": "info", "b.c.d": "error"}},
		{"a.=debug", "a.=debug:info", map[string]string{"a": "debug", "a.b": "info"}},
		{"notice:a=critical:b=WARNING:c=dpanic", "a=error:b=warn:c=dpanic:info", nil},
		{"debug::a=info", "a=info:info", nil},
	} {
		l, _ := newTest(t, "", test.spec)
		require.Equal(t, test.normal, l.Spec(), test.spec)
		for name, level := range test.levels {
			require.Equal(t, levels[level], l.spec.Load().level(name), "%s of %q", name, test.spec)
		}
	}
	for spec, want := range map[string]string{
		"bogus":      "invalid logging specification 'bogus': bad segment 'bogus'",
		"a=bogus":    "invalid logging specification 'a=bogus': bad segment 'a=bogus'",
		"=debug":     "invalid logging specification '=debug': no logger specified in segment '=debug'",
		"a=b=debug":  "invalid logging specification 'a=b=debug': bad segment 'a=b=debug'",
		".a=debug":   "invalid logging specification '.a=debug': bad logger name '.a'",
		"a,,b=debug": "invalid logging specification 'a,,b=debug': bad logger name ''",
	} {
		l, _ := newTest(t, "", "error")
		require.EqualError(t, l.ActivateSpec(spec), want)
		require.Equal(t, "error", l.Spec(), "a refused specification changes nothing")
	}
}

func TestLevelsChangeForExistingLoggers(t *testing.T) {
	l, out := newTest(t, plain25, "info")
	log := l.Logger("a.b")
	log.Debug("no")
	require.Empty(t, out.String())
	require.NoError(t, l.ActivateSpec("a=debug"))
	log.Debug("yes")
	require.Contains(t, out.String(), "DEBU [a.b]")
}

func TestPanicfAndFatalfOnlyWrite(t *testing.T) {
	l, out := newTest(t, plain25, "info")
	err := Panicf(l.Logger("m"), "bad %d: %w", 1, io.EOF)
	require.ErrorIs(t, err, io.EOF)
	require.EqualError(t, Fatalf(l.Logger("m"), "worse"), "worse")
	require.Regexp(t, `PANI \[m\] TestPanicfAndFatalfOnlyWrite -> bad 1: EOF\n.*FATA \[m\] TestPanicfAndFatalfOnlyWrite -> worse\n$`, out.String())
}

func FuzzSpec(f *testing.F) {
	f.Add("a=debug:info")
	f.Add("a.b.,c=warn")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSpec(text)
		if err != nil {
			return
		}
		again, err := parseSpec(s.String())
		require.NoError(t, err)
		require.Equal(t, s.String(), again.String(), "the normal form is stable")
	})
}

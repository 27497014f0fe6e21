package present

import (
	"regexp"
	"strings"

	"raftmig/runbook"
)

// LogKind says what an operator should make of a log line.
type LogKind uint8

// The kinds of log lines.
const (
	LogPlain   LogKind = iota
	LogRoutine         // one more call was served: true of any orderer at any time
	LogExpected
	LogWarning
	LogError
	LogLeader
)

// LogRow is a log line cut into the columns of the log pane.
type LogRow struct {
	Kind  LogKind
	Time  string // 15:04:05 UTC, "" if the line has none
	Node  string
	Label string // LEADER, EXPECTED, or the level
	Text  string // the message, without the prefix that repeats time and level
	Full  string // the whole line
}

// fabricPrefix is the start of a line in Fabric's default log formats. From
// 2.0 on: date, time, zone, number, level, [logger], function, ->. Before:
// date, time, zone, [logger], function, ->, level, number.
var fabricPrefix = regexp.MustCompile(`^\S+ \S+ \S+ (?:[0-9a-f]{3,} [A-Z]{4,5} \[[^\]]+\] \S* ?-> |\[[^\]]+\] \S+ -> [A-Z]{4,5} [0-9a-f]{3,} )`)

// LogRowOf cuts a log line into columns.
func LogRowOf(l runbook.LogLine) LogRow {
	full := Clean(l.Text)
	r := LogRow{Kind: logKind(l), Node: Clean(l.Node), Label: Clean(l.Level), Text: full, Full: full}
	if !l.At.IsZero() {
		r.Time = l.At.UTC().Format("15:04:05")
	}
	if m := fabricPrefix.FindStringIndex(full); m != nil {
		r.Text = full[m[1]:]
	}
	switch r.Kind {
	case LogLeader:
		r.Label = "LEADER"
	case LogExpected:
		r.Label = "EXPECTED"
	}
	return r
}

func logKind(l runbook.LogLine) LogKind {
	switch {
	case l.Leader != nil:
		return LogLeader
	case l.Expected:
		return LogExpected
	case l.Level == "WARN" || l.Level == "WARNING":
		return LogWarning
	case l.Level == "ERROR" || l.Level == "PANIC" || l.Level == "FATAL":
		return LogError
	case routine.MatchString(l.Text):
		return LogRoutine
	default:
		return LogPlain
	}
}

// routine matches lines of the gRPC server's logger, in both of Fabric's formats.
var routine = regexp.MustCompile(`^(?:\S+ ){3,5}\[comm\.grpc\.server\] `)

// Tone is the tone of the row.
func (k LogKind) Tone() Tone {
	switch k {
	case LogLeader:
		return Mark
	case LogExpected, LogRoutine:
		return Muted
	case LogWarning:
		return Warn
	case LogError:
		return Bad
	default:
		return Normal
	}
}

// LogShow is which kinds of rows are shown.
type LogShow uint8

// The choices, in the order in which a key goes through them.
const (
	ShowUsual  LogShow = iota // all but routine
	ShowMarked                // leader changes, warnings and errors
	ShowAll
)

// Next is the choice after s.
func (s LogShow) Next() LogShow { return (s + 1) % (ShowAll + 1) }

// Shows reports whether rows of the kind are shown.
func (s LogShow) Shows(k LogKind) bool {
	switch s {
	case ShowMarked:
		return k == LogLeader || k == LogWarning || k == LogError
	case ShowAll:
		return true
	default:
		return k != LogRoutine
	}
}

// Match reports whether the row holds the filter's words, in any order and case.
func (r LogRow) Match(filter string) bool {
	if filter == "" {
		return true
	}
	hay := strings.ToLower(r.Node + " " + r.Label + " " + r.Full)
	for _, w := range strings.Fields(strings.ToLower(filter)) {
		if !strings.Contains(hay, w) {
			return false
		}
	}
	return true
}

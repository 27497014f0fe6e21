// Package observe follows the logs of the ordering nodes: it finds the changes
// of Raft leader, the start of a process, its version and its death, and tells
// alarming lines from those that are normal in maintenance.
package observe

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"raftmig/runbook"
)

// Line is a parsed log line.
type Line struct {
	runbook.LogLine
	Logger  string // e.g. "orderer.consensus.etcdraft"
	Message string // what was logged, with its fields
	// Start is set on the first line that a starting orderer logs.
	Start bool
	// Version is set on the line below "Starting orderer:" that names it.
	Version string
	// Settings are those of the Kafka section among the values that a starting
	// orderer logs, by name: Kafka.Version. Depending on the format they come in
	// one line or in lines of their own.
	Settings map[string]string
}

// The default formats of Fabric (spec 8.7).
var (
	// 1.4 and 2.2: time [logger] func -> LEVL id message
	format14 = regexp.MustCompile(`(?:^|\s)(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+) \[([^\]]*)\] (\S*) -> ([A-Z]{4}) ([0-9a-f]{3,}) (.*)$`)
	// 2.5: time id LEVL [logger] func -> message
	format25 = regexp.MustCompile(`(?:^|\s)(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+) ([0-9a-f]{3,}) ([A-Z]{4,5}) \[([^\]]*)\] (\S*) -> (.*)$`)

	leaderText   = regexp.MustCompile(`Raft leader changed: (\d+) -> (\d+)`)
	channelField = regexp.MustCompile(`\bchannel=("?)([a-z][a-z0-9.-]*)`)
	channelText  = regexp.MustCompile(`\[channel: ([a-z][a-z0-9.-]*)\]`)
	nodeField    = regexp.MustCompile(`\bnode=(\d+)`)
	criPrefix    = regexp.MustCompile(`^\S+ (?:stdout|stderr) [FP] `)
	settingLine  = regexp.MustCompile(`(?m)^\s*(Kafka\.(?:Version|TLS\.Enabled|SASLPlain\.Enabled)) = "?([^"\s]*)"?\s*$`)
	versionLine  = regexp.MustCompile(`^ Version: (\S+)\s*$`)
	colours      = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	pairs        = regexp.MustCompile(`([A-Za-z_.]+)=("(?:[^"\\]|\\.)*"|\S*)`)
)

// timeLayouts of the default format: with and without a zone name.
const timeLayout = "2006-01-02 15:04:05.000 MST"

// Parse reads one line of a node's log, in either of Fabric's default formats,
// JSON or logfmt; what Docker's json-file driver, a CRI runtime or a prefix of
// compose adds is taken off. A line that is none of them, such as the
// continuation of a longer message, has no level and no time.
func Parse(node, raw string) Line {
	text := strings.TrimRight(colours.ReplaceAllString(unwrap(raw), ""), "\r\n")
	l := Line{LogLine: runbook.LogLine{Node: node, Text: text}}
	if m := format25.FindStringSubmatch(text); m != nil {
		l.At, l.Level, l.Logger, l.Message = parseTime(m[1]), level(m[3]), m[4], m[6]
	} else if m := format14.FindStringSubmatch(text); m != nil {
		l.At, l.Logger, l.Level, l.Message = parseTime(m[1]), m[2], level(m[4]), m[6]
	} else if strings.HasPrefix(text, "{") {
		l.json(text)
	} else if strings.HasPrefix(text, "ts=") {
		l.logfmt(text)
	} else {
		l.loose(text)
	}
	l.interpret()
	return l
}

// unwrap takes a line out of what a container runtime puts around it.
func unwrap(raw string) string {
	if strings.HasPrefix(raw, `{"log":"`) {
		var docker struct{ Log string }
		if json.Unmarshal([]byte(raw), &docker) == nil {
			return docker.Log
		}
	}
	return raw[len(criPrefix.FindString(raw)):]
}

func parseTime(s string) time.Time {
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// level spells out Fabric's four-letter levels.
func level(s string) string {
	switch s = strings.ToUpper(s); s {
	case "DEBU", "DEBUG":
		return "DEBUG"
	case "INFO":
		return "INFO"
	case "WARN", "WARNING":
		return "WARN"
	case "ERRO", "ERROR":
		return "ERROR"
	case "PANI", "PANIC", "DPAN", "DPANIC":
		return "PANIC"
	case "FATA", "FATAL":
		return "FATAL"
	default:
		return s
	}
}

func (l *Line) json(text string) {
	var fields map[string]any
	if json.Unmarshal([]byte(text), &fields) != nil {
		return
	}
	str := func(keys ...string) string {
		for _, k := range keys {
			if s, ok := fields[k].(string); ok {
				return s
			}
		}
		return ""
	}
	l.Level, l.Logger, l.Message = level(str("level")), str("name", "logger"), str("msg", "message")
	l.Channel = str("channel")
	switch ts := fields["ts"].(type) {
	case float64:
		l.At = time.UnixMicro(int64(ts * 1e6)).UTC()
	case string:
		l.At = anyTime(ts)
	}
	if n, ok := fields["node"].(float64); ok {
		l.Message += " node=" + strconv.FormatUint(uint64(n), 10)
	}
}

func (l *Line) logfmt(text string) {
	for _, m := range pairs.FindAllStringSubmatch(text, -1) {
		value := m[2]
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		switch m[1] {
		case "ts":
			if f, err := strconv.ParseFloat(value, 64); err == nil {
				l.At = time.UnixMicro(int64(f * 1e6)).UTC()
			} else {
				l.At = anyTime(value)
			}
		case "level":
			l.Level = level(value)
		case "name", "logger":
			l.Logger = value
		case "msg":
			l.Message = value
		case "channel":
			l.Channel = value
		case "node":
			l.Message += " node=" + value
		}
	}
}

func anyTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700", timeLayout} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// loose handles what is not a log line: the version below "Starting orderer:"
// and what the Go runtime prints when it dies.
func (l *Line) loose(text string) {
	l.Message = text
	if m := versionLine.FindStringSubmatch(text); m != nil {
		l.Version = m[1]
	}
	l.settings(text)
	if strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		l.Level = "PANIC"
	}
}

// settings finds the values of the Kafka section.
func (l *Line) settings(text string) {
	for _, m := range settingLine.FindAllStringSubmatch(text, -1) {
		if l.Settings == nil {
			l.Settings = map[string]string{}
		}
		l.Settings[m[1]] = m[2]
	}
}

// interpret finds what the message means.
func (l *Line) interpret() {
	if l.Channel == "" {
		if m := channelField.FindStringSubmatch(l.Message); m != nil {
			l.Channel = m[2]
		} else if m := channelText.FindStringSubmatch(l.Message); m != nil {
			l.Channel = m[1]
		}
	}
	l.Start = l.Level == "INFO" && strings.HasPrefix(l.Message, "Orderer config values:")
	if l.Start {
		l.settings(l.Message)
	}
	if m := leaderText.FindStringSubmatch(l.Message); m != nil && l.Channel != "" {
		change := &runbook.LeaderChange{Channel: l.Channel}
		change.From, _ = strconv.ParseUint(m[1], 10, 64)
		change.To, _ = strconv.ParseUint(m[2], 10, 64)
		if n := nodeField.FindStringSubmatch(l.Message); n != nil {
			change.RaftID, _ = strconv.ParseUint(n[1], 10, 64)
		}
		l.Leader = change
	}
	l.Expected = expected(l.Level, l.Message)
}

// noise are texts that alarm and are normal in every migration: clients and
// peers that are refused in maintenance, and streams that end when a client or
// node goes. What would also be the symptom of a real fault, such as a missing
// leader or a refused connection, is not among them.
var noise = []string{
	"normal transactions are rejected: maintenance mode",
	"channel creation is not permitted: maintenance mode",
	"Client authorization revoked for deliver request",
	"Rejecting broadcast of",
	"Rejecting deliver",
	"rejected by Consenter",
	"context canceled",
	"transport is closing",
	"Error reading from",
	"Error sending to stream",
	"streaming call completed",
	"Consenter for channel exiting",
}

// expected reports whether a warning or error is one of the noises.
func expected(level, message string) bool {
	if level != "WARN" && level != "ERROR" {
		return false
	}
	for _, n := range noise {
		if strings.Contains(message, n) {
			return true
		}
	}
	return false
}

package flogging

import (
	"fmt"
	"regexp"
	"strings"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// part is one piece of a format string: a literal text or a verb.
type part struct {
	verb   string // empty for a literal
	option string // the literal, the fmt verb, the time layout or the colour's name
}

var verbPattern = regexp.MustCompile(`%\{(color|id|level|message|module|shortfunc|time)(?::(.*?))?\}`)

// defaultOptions hold what a verb without option means.
var defaultOptions = map[string]string{
	"color": "", "id": "%d", "level": "%s", "message": "%s", "module": "%s", "shortfunc": "%s",
	"time": "2006-01-02T15:04:05.999Z07:00",
}

// parseFormat splits a format string. What is no verb is literal.
func parseFormat(text string) []part {
	var parts []part
	next := 0
	for _, m := range verbPattern.FindAllStringSubmatchIndex(text, -1) {
		if m[0] > next {
			parts = append(parts, part{option: text[next:m[0]]})
		}
		next = m[1]
		p := part{verb: text[m[2]:m[3]]}
		p.option = defaultOptions[p.verb]
		if m[4] >= 0 && m[5] > m[4] {
			p.option = text[m[4]:m[5]]
			if p.verb != "time" && p.verb != "color" {
				p.option = "%" + p.option
			}
		}
		parts = append(parts, p)
	}
	if next < len(text) {
		parts = append(parts, part{option: text[next:]})
	}
	return parts
}

// formatted returns an encoder for lines of parts. It runs under l.mu.
func (l *Logging) formatted(parts []part) func(*buffer.Buffer, zapcore.Entry, []zapcore.Field) error {
	return func(buf *buffer.Buffer, e zapcore.Entry, fields []zapcore.Field) error {
		for _, p := range parts {
			l.appendPart(buf, p, e)
		}
		appendFields(buf, fields)
		buf.AppendByte('\n')
		return nil
	}
}

func (l *Logging) appendPart(buf *buffer.Buffer, p part, e zapcore.Entry) {
	switch p.verb {
	case "":
		buf.AppendString(p.option)
	case "color":
		buf.AppendString(escape(p.option, e.Level))
	case "id":
		l.sequence++
		fmt.Fprintf(buf, p.option, l.sequence)
	case "level":
		fmt.Fprintf(buf, p.option, e.Level.CapitalString())
	case "message":
		fmt.Fprintf(buf, p.option, strings.TrimRight(e.Message, "\n"))
	case "module":
		fmt.Fprintf(buf, p.option, e.LoggerName)
	case "shortfunc":
		fmt.Fprintf(buf, p.option, shortFunc(e.Caller.Function))
	case "time":
		buf.AppendTime(e.Time, p.option)
	}
}

// shortFunc is the last element of a function's full name.
func shortFunc(name string) string {
	if name == "" {
		return "(unknown)"
	}
	name = strings.ReplaceAll(name, "[...]", "")
	return name[strings.LastIndexByte(name, '.')+1:]
}

// escape returns the terminal's escape sequence for a colour option.
func escape(option string, level zapcore.Level) string {
	colour := 0
	switch {
	case option == "reset" || level < zapcore.DebugLevel:
		return "\x1b[0m"
	case level == zapcore.DebugLevel:
		colour = 36
	case level == zapcore.InfoLevel:
		colour = 34
	case level == zapcore.WarnLevel:
		colour = 33
	case level == zapcore.ErrorLevel:
		colour = 31
	default:
		colour = 35
	}
	if option == "bold" {
		return fmt.Sprintf("\x1b[%d;1m", colour)
	}
	return fmt.Sprintf("\x1b[%dm", colour)
}

package flogging

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

func encodeJSON(buf *buffer.Buffer, e zapcore.Entry, fields []zapcore.Field) error {
	c := zap.NewProductionEncoderConfig()
	c.NameKey = "name"
	line, err := zapcore.NewJSONEncoder(c).EncodeEntry(e, fields)
	if err != nil {
		return err
	}
	defer line.Free()
	_, err = buf.Write(line.Bytes())
	return err
}

func encodeLogfmt(buf *buffer.Buffer, e zapcore.Entry, fields []zapcore.Field) error {
	seconds := float64(e.Time.UnixNano()) / float64(time.Second)
	appendPair(buf, "ts", strconv.FormatFloat(seconds, 'f', -1, 64))
	appendPair(buf, "level", e.Level.String())
	if e.LoggerName != "" {
		appendPair(buf, "name", e.LoggerName)
	}
	if e.Caller.Defined {
		appendPair(buf, "caller", e.Caller.TrimmedPath())
	}
	appendPair(buf, "msg", e.Message)
	appendFields(buf, fields)
	buf.AppendByte('\n')
	return nil
}

// appendFields writes fields as key=value in their order.
func appendFields(buf *buffer.Buffer, fields []zapcore.Field) {
	prefix := ""
	for _, f := range fields {
		switch f.Type {
		case zapcore.NamespaceType:
			prefix += f.Key + "."
			continue
		case zapcore.SkipType:
			continue
		case zapcore.ErrorType:
			if err, ok := f.Interface.(error); ok {
				appendPair(buf, prefix+f.Key, err.Error())
				continue
			}
		}
		m := zapcore.NewMapObjectEncoder()
		f.AddTo(m)
		v, ok := m.Fields[f.Key]
		if !ok {
			continue
		}
		appendPair(buf, prefix+f.Key, textOf(v))
	}
}

func textOf(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.Format("2006-01-02T15:04:05.999Z07:00")
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

func appendPair(buf *buffer.Buffer, key, value string) {
	if buf.Len() > 0 {
		buf.AppendByte(' ')
	}
	for _, r := range key {
		if !special(r) {
			buf.AppendString(string(r))
		}
	}
	buf.AppendByte('=')
	if strings.ContainsFunc(value, special) {
		buf.AppendString(strconv.Quote(value))
		return
	}
	buf.AppendString(value)
}

// special reports whether a rune keeps a value from standing without quotes.
func special(r rune) bool { return r <= ' ' || r == '=' || r == '"' || r == utf8.RuneError }

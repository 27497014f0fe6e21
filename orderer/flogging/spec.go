package flogging

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap/zapcore"
)

// PayloadLevel is below debug: the content of messages.
const PayloadLevel = zapcore.DebugLevel - 1

// spec is a specification of levels. It does not change, but for its cache.
type spec struct {
	overrides map[string]zapcore.Level // by name as written, with a trailing "." for "exactly this one"
	general   zapcore.Level
	lowest    zapcore.Level
	cache     sync.Map // logger name → zapcore.Level
}

// parseSpec reads [<logger>[,<logger>...]=]<level>[:[<logger>...=]<level>...].
func parseSpec(text string) (*spec, error) {
	s := &spec{overrides: map[string]zapcore.Level{}, general: zapcore.InfoLevel, lowest: math.MaxInt8}
	wrong := func(format, detail string) error {
		return fmt.Errorf("invalid logging specification '%s': "+format, text, detail)
	}
	for segment := range strings.SplitSeq(text, ":") {
		names, levelName, named := strings.Cut(segment, "=")
		if !named {
			levelName = names
		}
		level, ok := levels[levelName]
		if segment == "" {
			level, ok = zapcore.InfoLevel, true
		}
		switch {
		case named && strings.Contains(levelName, "="):
			return nil, wrong("bad segment '%s'", segment)
		case named && names == "":
			return nil, wrong("no logger specified in segment '%s'", segment)
		case !ok:
			return nil, wrong("bad segment '%s'", segment)
		case !named:
			s.general = level
			continue
		}
		for name := range strings.SplitSeq(names, ",") {
			if !loggerName.MatchString(strings.TrimSuffix(name, ".")) {
				return nil, wrong("bad logger name '%s'", name)
			}
			s.overrides[name] = level
		}
	}
	s.lowest = s.general
	for _, level := range s.overrides {
		s.lowest = min(s.lowest, level)
	}
	return s, nil
}

var loggerName = regexp.MustCompile(`^[[:alnum:]_#:-]+(\.[[:alnum:]_#:-]+)*$`)

// levels holds the names of levels in both cases.
var levels = func() map[string]zapcore.Level {
	m := map[string]zapcore.Level{}
	for name, level := range map[string]zapcore.Level{
		"payload": PayloadLevel, "debug": zapcore.DebugLevel, "info": zapcore.InfoLevel, "notice": zapcore.InfoLevel,
		"warning": zapcore.WarnLevel, "warn": zapcore.WarnLevel, "error": zapcore.ErrorLevel, "critical": zapcore.ErrorLevel,
		"dpanic": zapcore.DPanicLevel, "panic": zapcore.PanicLevel, "fatal": zapcore.FatalLevel,
	} {
		m[name], m[strings.ToUpper(name)] = level, level
	}
	return m
}()

// level returns the level of a logger: that of the longest prefix specified.
func (s *spec) level(name string) zapcore.Level {
	if v, ok := s.cache.Load(name); ok {
		return v.(zapcore.Level)
	}
	level := s.search(name)
	s.cache.Store(name, level)
	return level
}

func (s *spec) search(name string) zapcore.Level {
	if level, ok := s.overrides[name+"."]; ok {
		return level
	}
	for name != "" {
		if level, ok := s.overrides[name]; ok {
			return level
		}
		name = name[:max(0, strings.LastIndexByte(name, '.'))]
	}
	return s.general
}

// String returns the overrides in alphabetical order and then the general level.
func (s *spec) String() string {
	parts := make([]string, 0, len(s.overrides)+1)
	for name, level := range s.overrides {
		parts = append(parts, name+"="+levelName(level))
	}
	slices.Sort(parts)
	return strings.Join(append(parts, levelName(s.general)), ":")
}

func levelName(level zapcore.Level) string {
	if level == PayloadLevel {
		return "payload"
	}
	return level.String()
}

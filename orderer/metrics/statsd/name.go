package statsd

import (
	"regexp"
	"strings"

	"raftmig/orderer/metrics"
)

const defaultFormat = "%{#fqname}"

var (
	placeholder = regexp.MustCompile(`%{[#[:alnum:]_]+}`)
	unfit       = regexp.MustCompile(`[.|:\s]`)
)

// bucket is the name under which a metric with these labels is sent. A label
// without a value is "unknown".
func bucket(o metrics.Opts, labels map[string]string) string {
	format := o.StatsdFormat
	if format == "" {
		format = defaultFormat
	}
	return placeholder.ReplaceAllStringFunc(format, func(s string) string {
		switch key := s[2 : len(s)-1]; key {
		case "#namespace":
			return o.Namespace
		case "#subsystem":
			return o.Subsystem
		case "#name":
			return o.Name
		case "#fqname":
			return fullName(o)
		default:
			if v, ok := labels[key]; ok {
				return unfit.ReplaceAllString(v, "_")
			}
			return "unknown"
		}
	})
}

// fullName is the metric's parts, without the empty ones, joined with dots.
func fullName(o metrics.Opts) string {
	var parts []string
	for _, part := range []string{o.Namespace, o.Subsystem, o.Name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ".")
}

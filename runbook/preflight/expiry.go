package preflight

import (
	"time"

	"raftmig/runbook"
)

// expiry complains about a certificate that ends before the window does, or
// soon after.
func expiry(what string, now, notAfter time.Time) []complaint {
	left := notAfter.Sub(now)
	switch {
	case notAfter.IsZero():
		return []complaint{doubtful("it is not known when %s expires", what)}
	case left <= 0:
		return []complaint{bad("%s expired %s ago", what, duration(left))}
	case left < Window:
		return []complaint{bad("%s expires in %s, within the window", what, duration(left))}
	case left < Soon:
		return []complaint{doubtful("%s expires in %s", what, duration(left))}
	default:
		return nil
	}
}

// validity is expiry, and complains about a certificate that is not valid yet.
func validity(what string, now time.Time, c *runbook.CertFacts) []complaint {
	if c == nil {
		return nil
	}
	if c.NotBefore.After(now) {
		return []complaint{bad("%s is valid only in %s", what, duration(c.NotBefore.Sub(now)))}
	}
	return expiry(what, now, c.NotAfter)
}

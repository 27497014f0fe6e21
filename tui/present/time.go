package present

import (
	"fmt"
	"time"
)

// Duration says a duration in at most two units: "0s", "12s", "3m12s", "2h05m".
func Duration(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// About says an estimate, rounded as estimates are: "about 10s", "about 3m".
func About(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 10*time.Second:
		return fmt.Sprintf("about %ds", max(1, int(d.Round(time.Second).Seconds())))
	case d < time.Minute:
		return fmt.Sprintf("about %ds", int(d.Round(5*time.Second).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("about %dm", int(d.Round(time.Minute).Minutes()))
	default:
		return "about " + Duration(d.Round(time.Minute))
	}
}

// Age says how old something is, coarsely, so that it changes seldom: "just
// now", "20s ago", "4m ago".
func Age(now, at time.Time) string {
	d := now.Sub(at)
	switch {
	case at.IsZero():
		return "never"
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds())/10*10)
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	default:
		return Duration(d.Truncate(time.Minute)) + " ago"
	}
}

// Clock says a time of day in UTC and, where it differs, in local time:
// "22:14:05 UTC (23:14:05 CET)".
func Clock(t time.Time, local *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	u := t.UTC().Format("15:04:05") + " UTC"
	if local == nil {
		return u
	}
	l := t.In(local)
	if _, off := l.Zone(); off == 0 {
		return u
	}
	return u + " (" + l.Format("15:04:05 MST") + ")"
}

// Seconds says the seconds of an effect: "0.4s", "12s".
func Seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1fs", s)
	}
	return Duration(time.Duration(s * float64(time.Second)))
}

// Bytes says an amount of bytes: "812 B", "1.4 MB".
func Bytes(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}

// Short cuts a hex digest to its first eight digits; "-" for none.
func Short(hash string) string {
	if hash == "" {
		return "-"
	}
	return Clean(hash[:min(8, len(hash))])
}

// Plural says n things: "1 channel", "3 channels".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

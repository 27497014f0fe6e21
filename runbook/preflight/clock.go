package preflight

import (
	"time"

	"raftmig/runbook"
)

var clock = check{
	id:    "clock.offset",
	title: "clocks",
	hint:  "Set up time synchronisation. Orderers refuse requests whose time is more than 15 minutes off.",
	ok:    say("no node is off by more than a minute"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			off := o.ClockOffset.Abs()
			switch {
			case o.Error != "":
			case !o.ClockKnown:
				out = append(out, doubtful("%s: its clock could not be read", o.Node))
			case off > 15*time.Minute:
				out = append(out, bad("%s: its clock is %s off", o.Node, duration(off)))
			case off > time.Minute:
				out = append(out, doubtful("%s: its clock is %s off", o.Node, duration(off)))
			}
		}
		return out
	},
}

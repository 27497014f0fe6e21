package preflight

import "raftmig/runbook"

var channelState = check{
	id:        "channels.state",
	ofConfigs: true,
	title:     "consensus states",
	hint:      "A channel that is in maintenance mode already was left there by an earlier try, or by somebody else at this moment.",
	ok:        say("every channel is in normal operation"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			switch c.State {
			case runbook.StateNormal:
			case runbook.StateMaintenance:
				out = append(out, doubtful("%s is in maintenance mode already", c.Name))
			default:
				out = append(out, bad("%s is in state %q", c.Name, c.State))
			}
		}
		return out
	},
}

package preflight

import (
	"fmt"
	"slices"
	"strings"

	"raftmig/runbook"
)

var adminPolicy = check{
	id:        "policies.admins",
	ofConfigs: true,
	title:     "policy /Channel/Orderer/Admins",
	hint: "Use an administrator of an orderer organisation. Where several organisations must sign, " +
		"list an administrator of each under admins in raftmig.yaml.",
	advise: adviseSigners,
	ok: func(f runbook.Facts) string {
		if n := len(f.Admins); n > 0 {
			return fmt.Sprintf("the signatures of the %d administrators satisfy it on every channel", n+1)
		}
		return "the admin identity satisfies it on every channel"
	},
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, c := range f.Channels {
			switch {
			case c.AdminPolicy == "":
			case f.AwaitSignatures && len(c.MissingAdmins) > 0:
				out = append(out, doubtful("%s: %s", c.Name, c.AdminPolicy))
			default:
				out = append(out, bad("%s: %s", c.Name, c.AdminPolicy))
			}
		}
		return out
	},
}

// adviseSigners names the organizations whose signatures are missing on some
// channel, once for the channels that miss the same ones; "" if none is known.
func adviseSigners(f runbook.Facts) string {
	channels := map[string][]string{}
	var missing []string
	for _, c := range f.Channels {
		if c.AdminPolicy == "" || len(c.MissingAdmins) == 0 {
			continue
		}
		orgs := strings.Join(c.MissingAdmins, ", ")
		if channels[orgs] == nil {
			missing = append(missing, orgs)
		}
		channels[orgs] = append(channels[orgs], c.Name)
	}
	if len(missing) == 0 {
		return ""
	}
	slices.Sort(missing)
	var lines []string
	for _, orgs := range missing {
		lines = append(lines, fmt.Sprintf("no administrator of %s signs for %s", orgs, strings.Join(channels[orgs], ", ")))
	}
	if f.AwaitSignatures {
		return "The run stands still in each of the three rounds of updates until enough of these organisations have signed, within the window; have their administrators at hand: " + strings.Join(lines, "; ") + "."
	}
	return "List an administrator of as many of these organisations as the policy asks for, under admins in raftmig.yaml: " + strings.Join(lines, "; ") + "."
}

package preflight

import "raftmig/runbook"

var versionsEqual = check{
	id:    "versions.equal",
	title: "equal versions",
	hint:  "Bring all orderers to the same version before the migration.",
	ok:    say("no two orderers differ"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		var first *runbook.OrdererFacts
		for _, o := range f.Orderers {
			if o.Error != "" || o.Version == "" {
				continue
			}
			if first == nil {
				first = &o
			} else if o.Version != first.Version {
				out = append(out, bad("%s runs %s, %s runs %s", first.Node, first.Version, o.Node, o.Version))
			}
		}
		return out
	},
}

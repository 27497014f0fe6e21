package preflight

import "raftmig/runbook"

var versionsMinimum = check{
	id:    "versions.minimum",
	title: "versions",
	hint: "The migration exists from Fabric 1.4.2 to the last 2.5. Upgrade the orderers first, to 1.4.12 or 2.2.2 " +
		"or later if you can. An unknown version: ask the node's /version or look into its log.",
	ok: say("every orderer can migrate"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			if o.Error != "" {
				continue // nodes.reachable says so
			}
			v, known := parseVersion(o.Version)
			switch {
			case !known:
				out = append(out, doubtful("%s: version is unknown (%q)", o.Node, o.Version))
			case v.less(version{1, 4, 2}):
				out = append(out, bad("%s: version %s is older than 1.4.2", o.Node, o.Version))
			case !v.less(version{3, 0, 0}):
				out = append(out, bad("%s: version %s knows neither Kafka nor this migration", o.Node, o.Version))
			case v.less(version{1, 4, 5}), v == version{2, 0, 0}:
				out = append(out, doubtful("%s: orderers of version %s crash when one is added later (FAB-17479)", o.Node, o.Version))
			}
		}
		return out
	},
}

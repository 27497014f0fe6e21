package preflight

import "raftmig/runbook"

var reachable = check{
	id:    "nodes.reachable",
	title: "nodes",
	hint:  "Start the node, or correct its address in raftmig.yaml. Every node must answer before the window begins.",
	ok:    say("all orderers and brokers answer"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		if len(f.Orderers) == 0 {
			out = append(out, bad("no orderer is known"))
		}
		for _, o := range f.Orderers {
			if o.Error != "" {
				out = append(out, bad("%s at %s: %s", o.Node, o.Address, o.Error))
			}
		}
		for _, b := range f.Brokers {
			if b.Error != "" {
				out = append(out, bad("%s at %s: %s", b.Node, b.Address, b.Error))
			}
		}
		return out
	},
}

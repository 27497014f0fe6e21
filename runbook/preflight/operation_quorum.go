package preflight

import (
	"fmt"
	"slices"

	"raftmig/runbook"
)

// raftQuorum demands a quorum of the set as it is and as it will be.
var raftQuorum = check{
	id:    "raft.quorum",
	title: "quorum",
	hint:  "Start the consenters that are down first. What takes the quorum away cannot be undone by configuration.",
	ok: func(f runbook.Facts) string {
		n := len(f.Raft.Members)
		return fmt.Sprintf("%d of %d consenters are enough afterwards", n/2+1, n)
	},
	judge: func(f runbook.Facts) []complaint {
		r := f.Raft
		before, after, up := len(r.Members), len(r.Members), 0
		nodeUp := false
		for _, o := range f.Orderers {
			switch {
			case o.Error != "":
			case slices.Contains(r.Witnesses, o.Node):
				up++
			case o.Node == r.Operation.Node:
				nodeUp = true
			}
		}
		now := up // of the set as it is
		switch r.Operation.Kind {
		case runbook.AddConsenter:
			before--
		case runbook.RemoveConsenter:
			before++
			if nodeUp {
				now++
			}
		case runbook.RotateCertificates:
			if nodeUp {
				now++
			}
		}
		var out []complaint
		switch {
		case after == 0:
			return []complaint{bad("no consenter would be left")}
		case len(r.Reached) == 0 && now <= before/2:
			out = append(out, bad("%d of %d consenters run: that is no quorum, so nothing can be changed", now, before))
		case up <= after/2 && r.Operation.Kind == runbook.AddConsenter && before == 1:
			out = append(out, doubtful("until %s runs, the single other consenter has no quorum: nobody is served, and if it never runs, that stays so", r.Operation.Node))
		case up <= after/2 && after == 2 && r.Operation.Kind == runbook.RotateCertificates:
			out = append(out, doubtful("until %s is started anew, there is no quorum of 2: nobody is served for some seconds", r.Operation.Node))
		case up <= after/2:
			out = append(out, bad("%d of %d consenters would run: that is no quorum", up, after))
		}
		if r.Operation.Kind != runbook.AddConsenter && r.Operation.Kind != runbook.RemoveConsenter {
			return out
		}
		switch {
		case after < 3:
			out = append(out, doubtful("%d consenters survive no failure", after))
		case after%2 == 0:
			out = append(out, doubtful("%d consenters survive no more failures than %d", after, after-1))
		}
		return out
	},
}

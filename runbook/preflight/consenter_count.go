package preflight

import (
	"fmt"

	"raftmig/runbook"
)

var consenterCount = check{
	id:    "consenters.count",
	title: "consenter set",
	hint:  "Three survive one failure, five survive one during maintenance. Orderers are added after the migration.",
	ok:    func(f runbook.Facts) string { return fmt.Sprintf("%d orderers", len(f.Orderers)) },
	judge: func(f runbook.Facts) []complaint {
		switch n := len(f.Orderers); {
		case n < 3:
			return []complaint{doubtful("%d orderers survive no failure", n)}
		case n%2 == 0:
			return []complaint{doubtful("%d orderers survive no more failures than %d", n, n-1)}
		default:
			return nil
		}
	},
}

package preflight

import (
	"fmt"

	"raftmig/runbook"
)

var backupSpace = check{
	id:    "backup.space",
	title: "space for the backup",
	hint:  "Make room, or let backup.dir in raftmig.yaml point to a larger disk.",
	ok: func(f runbook.Facts) string {
		return fmt.Sprintf("%s needed, %s free in %s", size(f.Backup.Needed), size(f.Backup.Free), f.Backup.Dir)
	},
	judge: func(f runbook.Facts) []complaint {
		b := f.Backup
		switch {
		case b.Error != "":
			return []complaint{bad("%s: %s", b.Dir, b.Error)}
		case b.Free < b.Needed:
			return []complaint{bad("%s needed, only %s free in %s", size(b.Needed), size(b.Free), b.Dir)}
		case b.Free < b.Needed+b.Needed/5:
			return []complaint{doubtful("%s needed, %s free in %s: less than a fifth to spare", size(b.Needed), size(b.Free), b.Dir)}
		default:
			return nil
		}
	},
}

func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n)/unit, 0
	for value >= unit && suffix < 4 {
		value /= unit
		suffix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[suffix])
}

package preflight

import "raftmig/runbook"

var backupWayBack = check{
	id:    "backup.way-back",
	title: "space for the way back",
	hint:  "Make room there: a backup is put back beside the data that it replaces. With less the way back would be refused when it is needed.",
	ok:    say("the backup can be put back beside the present data"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, v := range f.Backup.WayBack {
			if v.Free < v.Needed {
				out = append(out, bad("%s needed, only %s free on the file system of %s", size(v.Needed), size(v.Free), v.Path))
			}
		}
		return out
	},
}

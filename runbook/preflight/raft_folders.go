package preflight

import "raftmig/runbook"

var raftFolders = check{
	id:    "raft.folders",
	title: "Raft folders",
	hint:  "Consensus.WALDir and Consensus.SnapDir must be writable by the orderer and lie on a disk that lasts.",
	ok:    say("WAL and snapshot folders can be used"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			if o.RaftDirs != "" {
				out = append(out, bad("%s: %s", o.Node, o.RaftDirs))
			}
		}
		return out
	},
}

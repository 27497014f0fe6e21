package runbook

var stepRollbackRestore = step{
	id:   StepRollbackRestore,
	skip: skipUnlessSwitching,
	check: func(k *knowledge) *Problem {
		if k.backup == nil {
			return &Problem{What: "there is no backup", Ref: guideAbort}
		}
		return nil
	},
	do: []wave{
		atRestWave,
		verifyBackupWave, // before anything is overwritten
		atRestWave,       // reading a backup may take hours
		{effects: func(*knowledge) []Effect { return []Effect{{Kind: RestoreBackup}} }, judge: accepted},
		{effects: func(*knowledge) []Effect { return []Effect{{Kind: RemoveRaftState}} }, judge: accepted},
	},
	verify: performAgain,
	undo:   undoRollback,
	explain: func(k *knowledge) Explain {
		dir := "$BACKUP"
		if k.backup != nil {
			dir = k.backup.Dir
		}
		look, still := "", ""
		if k.exiting {
			look = "Read from the files of every orderer how each channel ends. "
			still = "No ledger is newer than what was last seen in maintenance mode. "
		}
		return Explain{
			Title: "Restore the backup",
			What: look + "Read the backup in " + dir + " once more, put its files back on all " +
				"nodes, and remove the Raft folders (WAL and snapshots).",
			Why: "Raft folders that stay behind would be replayed by the next try, on " +
				"ledgers that do not fit.",
			Verify:   still + "Checksums of the restored files; the Raft folders are gone.",
			Estimate: 2 * copyEstimate(k),
			Guide:    guideAbort,
			Commands: []string{
				"cd " + dir + " && sha256sum --check --quiet MANIFEST",
				"rsync -aHAX --delete $BACKUP/$NODE/ $DATA/   # on every node",
				"rm -r $WALDIR/* $SNAPDIR/*                   # on every orderer",
			},
		}
	},
}

package runbook

var stepBackupVerify = step{
	id:   StepBackupVerify,
	do:   []wave{verifyBackupWave},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title:    "Read the backup back",
			What:     "Read every file of the backup and compare it with the manifest.",
			Why:      "A backup that was never read is a hope, not a backup.",
			Verify:   "Same files, same sizes, same checksums; same manifest as taken.",
			Estimate: copyEstimate(k),
			Guide:    guideBackup,
			Commands: []string{"cd $BACKUP && sha256sum --check --quiet MANIFEST"},
		}
	},
}

// verifyBackupWave reads the backup and demands that it is the one taken.
var verifyBackupWave = wave{
	effects: func(*knowledge) []Effect { return []Effect{{Kind: VerifyBackup}} },
	judge: func(k *knowledge, e Effect, ev Evidence) *Problem {
		if k.backup != nil && ev.Backup.Manifest != k.backup.Manifest {
			return &Problem{
				What: "the backup is not the one that was taken", Where: ev.Backup.Dir,
				Why:  "its manifest is " + short(ev.Backup.Manifest) + ", taken was " + short(k.backup.Manifest),
				Hint: "Find out who changed it. Do not go on with it.",
			}
		}
		return nil
	},
}

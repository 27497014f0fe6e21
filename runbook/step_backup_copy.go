package runbook

import (
	"fmt"
	"time"
)

var stepBackupCopy = step{
	id: StepBackupCopy,
	do: []wave{{
		effects: func(*knowledge) []Effect { return []Effect{{Kind: TakeBackup}} },
		judge:   judgeBackup,
	}},
	verify: verification{
		ask: func(*knowledge, Effect) *Effect { return &Effect{Kind: VerifyBackup} },
		holds: func(k *knowledge, e Effect, answer *Evidence) (bool, *Problem) {
			// A backup that cannot be verified is taken again.
			return answer != nil && answer.Backup != nil && judgeBackup(k, e, *answer) == nil, nil
		},
	},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Back up all nodes",
			What: "Copy the data folders of " + list(k.nodes("")) + " into the run's " +
				"backup folder, with a manifest of checksums.",
			Why: "Without a backup taken at this very point a failed migration cannot " +
				"be undone.",
			Verify: "Checksums are computed while copying; the channels' heights " +
				"inside the copy are compared with those proven before.",
			Estimate: copyEstimate(k),
			Guide:    guideBackup,
			Commands: []string{
				"rsync -aHAX --delete $DATA/ $BACKUP/$NODE/   # on every node",
				"cd $BACKUP && find . -type f -print0 | xargs -0 sha256sum > MANIFEST",
			},
		}
	},
}

// copyEstimate is how long copying or reading all data takes at 100 MB a second.
func copyEstimate(k *knowledge) time.Duration {
	if k.dataBytes == 0 {
		return time.Minute
	}
	return 2*time.Second + time.Duration(k.dataBytes/100)*time.Microsecond
}

// judgeBackup demands that the copy holds every channel up to the height that
// was proven on every node.
func judgeBackup(k *knowledge, _ Effect, ev Evidence) *Problem {
	for _, c := range k.channels {
		got, ok := ev.Backup.Heights[c]
		switch {
		case !ok:
			return &Problem{What: "channel is missing in the backup", Where: c, Ref: guideBackup, Hint: "Retry; the backup is taken again."}
		case got < k.heights[c]:
			return &Problem{
				What: "the backup is behind", Where: c, Ref: guideBackup,
				Why:  fmt.Sprintf("its height is %d, %d was proven on every orderer", got, k.heights[c]),
				Hint: "Check that the data folders in raftmig.yaml are the ones in use.",
			}
		}
	}
	return nil
}

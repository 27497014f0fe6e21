package runbook

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// wellFormed says what is missing in the evidence of an effect of this kind.
// Evidence that is not there proves nothing.
func wellFormed(e Effect, ev Evidence) *Problem {
	missing := func(what string) *Problem {
		return &Problem{What: "the evidence of " + describe(e) + " is incomplete", Why: what}
	}
	switch e.Kind {
	case ListChannels:
		l := ev.ChannelList
		switch {
		case l != nil && e.Operation != nil && l.System == "" && len(l.Names) > 0: // not every Raft network has one
		case l == nil || l.System == "" || !slices.Contains(l.Names, l.System):
			return missing("it names no system channel")
		}
	case BuildMetadata:
		m := ev.Metadata
		if m == nil || len(m.Bytes) == 0 {
			return missing("it has no consensus metadata")
		}
		if sum := sha256.Sum256(m.Bytes); m.Hash != hex.EncodeToString(sum[:]) {
			return missing("the hash of the consensus metadata is wrong")
		}
	case GatherFacts:
		if len(ev.Findings) == 0 {
			return missing("the facts were not judged by the checks")
		}
	case TakeBackup, VerifyBackup:
		if ev.Backup == nil {
			return missing("it describes no backup")
		}
	case ReadProcesses:
		if len(ev.Processes) == 0 {
			return missing("it describes no process")
		}
	}
	return nil
}

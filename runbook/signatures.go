package runbook

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// WaitsForSignatures is the Problem.Waits of a run that stands still until
// administrators elsewhere have signed updates.
const WaitsForSignatures = "signatures"

// SignatureState is an update of one channel that is to be signed, and by whom
// it has been signed.
type SignatureState struct {
	Channel string `json:"channel"`
	Change  Change `json:"change"`
	// File is where it lies for others to sign, "" if no signature is missing.
	File string `json:"file,omitempty"`
	// Sequence is that of the configuration that the update was computed from,
	// and the only one that it is good for.
	Sequence uint64 `json:"sequence"`
	// SignedBy are the MSP IDs of those who have signed, in order.
	SignedBy []string `json:"signed_by,omitempty"`
	// Missing are the MSP IDs of the orderer organizations of whom no
	// administrator has signed; how many of them are needed is for Why to say.
	Missing []string `json:"missing,omitempty"`
	// Why says why the signatures are not enough, in Fabric's words; "" if they are.
	Why string `json:"why,omitempty"`
	// Renewed is set where the configuration had changed since the update was
	// exported: it was exported anew, and what was signed before is worth nothing.
	Renewed bool `json:"renewed,omitempty"`
}

// collectWave has the updates of one round exported for signing, all at once,
// and demands that they have the signatures that the channels ask for. Where
// the run waits for no one it has no effect. The submission looks once more, for
// a channel's configuration can change in between.
func collectWave(c Change, channels func(k *knowledge) []string) wave {
	return wave{
		effects: func(k *knowledge) []Effect {
			names := channels(k)
			if !k.plan.AwaitSignatures || len(names) == 0 {
				return nil
			}
			e := k.updating(c)
			e.Kind, e.Channels = CollectSignatures, slices.Clone(names)
			return []Effect{e}
		},
		judge: func(k *knowledge, e Effect, ev Evidence) *Problem {
			for _, name := range e.Channels {
				if !slices.ContainsFunc(ev.Signatures, func(s SignatureState) bool { return s.Channel == name }) {
					return &Problem{What: "nothing is known of the signatures of the update", Where: name}
				}
			}
			return JudgeSignatures(ev.Signatures)
		},
	}
}

// signedElsewhere is what a step that makes updates says of signatures.
func signedElsewhere(k *knowledge) string {
	if !k.plan.AwaitSignatures {
		return ""
	}
	return " Before the first update those of all channels are exported together, and waited for until they are signed elsewhere."
}

// JudgeSignatures says which updates have to be signed by whom; nil if none has to be.
func JudgeSignatures(states []SignatureState) *Problem {
	var open, renewed, missing []string
	var first SignatureState
	for _, s := range states {
		if s.Why == "" {
			continue
		}
		if len(open) == 0 {
			first = s
		}
		open = append(open, s.Channel)
		if s.Renewed {
			renewed = append(renewed, s.Channel)
		}
		missing = append(missing, s.Missing...)
	}
	if len(open) == 0 {
		return nil
	}
	dir := path.Dir(first.File)
	p := &Problem{
		What: fmt.Sprintf("the update %s waits for signatures", first.Change), Where: list(open), Why: first.Why,
		Ref: guideAssumptions, Waits: WaitsForSignatures,
	}
	files := path.Join(dir, "*."+string(first.Change)+".tx")
	if len(open) == 1 {
		files = first.File
	} else {
		p.What = fmt.Sprintf("%d updates %s wait for signatures", len(open), first.Change)
	}
	slices.Sort(missing)
	if missing = slices.Compact(missing); len(missing) > 0 {
		p.Hint = "No administrator of " + strings.Join(missing, ", ") + " has signed. "
	}
	p.Hint += fmt.Sprintf("Have %s signed (raftmig sign --each, or peer channel signconfigtx), put what comes back into %s, "+
		"or into a folder of its own there, under any name that ends in .tx, and retry; a headless run goes on by itself.", files, dir)
	if len(renewed) > 0 {
		p.Hint += " The configuration of " + list(renewed) + " has changed since: the update was exported anew, and what was signed before counts no more."
	}
	return p
}

// awaited returns the updates that lack signatures, as they were seen last.
func (k *knowledge) awaited() []SignatureState {
	var out []SignatureState
	for _, name := range k.channels {
		if s, ok := k.signatures[name]; ok && s.Why != "" {
			out = append(out, cloneSignature(s))
		}
	}
	return out
}

// observeSignatures keeps what was seen of signatures.
func (k *knowledge) observeSignatures(e Effect, ev Evidence) {
	if e.Kind == CollectSignatures {
		clear(k.signatures)
	}
	for _, s := range ev.Signatures {
		k.signatures[s.Channel] = cloneSignature(s)
	}
}

// lookedAgain drops the evidence that an effect which is tried again has left
// before: of who has signed only the newest counts, and a run may wait long.
func lookedAgain(kept []Evidence, ev Evidence) []Evidence {
	if ev.Signatures == nil {
		return kept
	}
	return slices.DeleteFunc(kept, func(old Evidence) bool {
		return len(old.Signatures) > 0 && slices.EqualFunc(old.Signatures, ev.Signatures, func(a, b SignatureState) bool {
			return a.Channel == b.Channel && a.Change == b.Change
		})
	})
}

func cloneSignature(s SignatureState) SignatureState {
	s.SignedBy, s.Missing = slices.Clone(s.SignedBy), slices.Clone(s.Missing)
	return s
}

func cloneSignatures(in []SignatureState) []SignatureState {
	out := slices.Clone(in)
	for i := range out {
		out[i] = cloneSignature(out[i])
	}
	return out
}

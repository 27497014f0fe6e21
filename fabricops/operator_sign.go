package fabricops

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/channels"
	"raftmig/runbook"
)

// signaturesDir is the folder, inside of a run's, for updates to be signed.
const signaturesDir = "signatures"

// signLooks is how many channels are looked at for signatures at once.
const signLooks = 8

// box is named by its absolute path, which tells people elsewhere more, and a
// process that resumes the run from another folder.
func (o *Operator) box() channels.Box {
	dir := filepath.Join(o.runDir, signaturesDir)
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return channels.Box{Dir: dir}
}

// collectSignatures exports the updates of a round for administrators elsewhere
// to sign, and says what has come back. That signatures are missing is no error:
// the runbook judges.
func (o *Operator) collectSignatures(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	names, err := o.channelsOf(ctx, e)
	if err != nil {
		return runbook.Evidence{}, err
	}
	files, err := o.box().Files()
	if err != nil {
		return runbook.Evidence{}, err
	}
	r.total(int64(len(names)), "channels")
	states, errs := make([]runbook.SignatureState, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, signLooks)
	for i, name := range names {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			one := e
			one.Channel = name
			_, states[i], errs[i] = o.export(ctx, one, files)
			r.step(name + ": looked for signatures")
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return runbook.Evidence{}, err
	}
	ready := 0
	for _, s := range states {
		if s.Why == "" {
			ready++
		}
	}
	return runbook.Evidence{
		Summary:    fmt.Sprintf("%d of %d updates %s have the signatures that they need", ready, len(states), e.Change),
		Signatures: states,
	}, o.note(true, states...)
}

// note keeps the list of what lacks signatures, for whoever reads it beside the
// files. afresh forgets what was on it.
func (o *Operator) note(afresh bool, states ...runbook.SignatureState) error {
	o.awaitedMu.Lock()
	defer o.awaitedMu.Unlock()
	if afresh {
		o.awaited = nil
	}
	for _, s := range states {
		o.awaited = slices.DeleteFunc(o.awaited, func(old runbook.SignatureState) bool { return old.Channel == s.Channel })
		if s.Why != "" {
			o.awaited = append(o.awaited, s)
		}
	}
	return o.box().Note(o.awaited)
}

// export computes the update of a channel from its newest configuration, adds
// the signatures of the administrators at hand and those in files, and writes it
// to the box where that is not enough. The update is nil where the change is in
// force or cannot be made now.
func (o *Operator) export(ctx context.Context, e runbook.Effect, files []*channelcfg.Update) (*channelcfg.Update, runbook.SignatureState, error) {
	s := runbook.SignatureState{Channel: e.Channel, Change: e.Change}
	v, _, err := o.submitter.Only(e.Nodes).Read(ctx, e.Channel)
	if err != nil {
		return nil, s, err
	}
	s.Sequence = v.Sequence()
	u, err := channelcfg.GoalOf(e).Build(v)
	if errors.Is(err, channelcfg.ErrInForce) {
		return nil, s, nil
	}
	if err != nil {
		return nil, s, fmt.Errorf("channel %s: %w", e.Channel, err)
	}
	box := o.box()
	lies, stale, err := box.Collect(u, files)
	if err != nil {
		return nil, s, err
	}
	added, err := o.signHere(u)
	if err != nil {
		return nil, s, err
	}
	missing, refused := channelcfg.Judge(v, u)
	for _, by := range u.Signers() {
		s.SignedBy = append(s.SignedBy, by.MSPID)
	}
	if refused == nil {
		return u, s, nil
	}
	s.File, s.Missing, s.Why, s.Renewed = box.File(u), missing, refused.Error(), stale
	if lies && added == 0 { // it is not written over while somebody copies
		return u, s, nil
	}
	return u, s, box.Put(u)
}

// signHere adds the signatures of the administrators at hand, and returns how many.
func (o *Operator) signHere(u *channelcfg.Update) (added int, err error) {
	for _, a := range o.submitter.Admins {
		signed, err := u.SignedBy(a)
		if err != nil {
			return added, err
		}
		if signed {
			continue
		}
		if err := u.Sign(a); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}

// submitSigned is submitUpdate where some administrators sign elsewhere. If the
// channel's configuration has changed since the signatures were collected, the
// update is exported anew and the effect ends with a problem that says so.
func (o *Operator) submitSigned(ctx context.Context, e runbook.Effect, r *report) (channelcfg.Result, runbook.Evidence, error) {
	files, err := o.box().Files()
	if err != nil {
		return channelcfg.Result{}, runbook.Evidence{}, err
	}
	u, s, err := o.export(ctx, e, files)
	if err == nil {
		err = o.note(false, s)
	}
	if err != nil || u == nil { // it says better what is in the way, or in force
		result, err := o.submitter.Only(e.Nodes).Bring(ctx, e.Channel, channelcfg.GoalOf(e), r.text)
		return result, runbook.Evidence{}, err
	}
	if s.Why != "" {
		ev := runbook.Evidence{Summary: e.Channel + ": signatures are missing", Signatures: []runbook.SignatureState{s}}
		return channelcfg.Result{}, ev, runbook.JudgeSignatures(ev.Signatures)
	}
	result, err := o.submitter.Only(e.Nodes).SubmitUpdate(ctx, u, r.text)
	return result, runbook.Evidence{}, err
}

// SignaturesStamp differs once any file that may hold signatures has changed.
func (o *Operator) SignaturesStamp() string { return o.box().Stamp() }

// Signatures looks again at updates that wait to be signed: who has signed by
// now, and whether each is still good for its channel's configuration. It
// writes nothing and exports nothing; a state that differs from the one given
// says that CollectSignatures would find something new.
func (o *Operator) Signatures(ctx context.Context, awaited []runbook.SignatureState) ([]runbook.SignatureState, error) {
	files, err := o.box().Files()
	if err != nil {
		return nil, err
	}
	var out []runbook.SignatureState
	for _, s := range awaited {
		v, _, err := o.submitter.Read(ctx, s.Channel)
		if err != nil {
			return nil, err
		}
		if s.Sequence != v.Sequence() {
			s.Sequence, s.SignedBy = v.Sequence(), nil
			out = append(out, s)
			continue
		}
		u, err := channels.ReadUpdates(s.File)
		if err != nil { // lost, or being written over: to be exported again, if it stays so
			s.SignedBy = nil
			out = append(out, s)
			continue
		}
		if _, _, err := o.box().Collect(u, files); err != nil {
			return nil, err
		}
		s.SignedBy = nil
		for _, by := range u.Signers() {
			s.SignedBy = append(s.SignedBy, by.MSPID)
		}
		var refused error
		if s.Missing, refused = channelcfg.Judge(v, u); refused == nil {
			s.File, s.Why = "", ""
		}
		out = append(out, s)
	}
	return out, nil
}

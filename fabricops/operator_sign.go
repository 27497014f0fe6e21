package fabricops

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/channels"
	"raftmig/runbook"
)

// signaturesDir is the folder, inside of a run's, for updates to be signed.
const signaturesDir = "signatures"

// submitSigned is submitUpdate where some administrators sign elsewhere. The
// update is exported, signed by those at hand; until the files that came back
// satisfy the channel's policies the effect ends with a problem that names the
// file and the organizations, and is tried again when the operator says so.
func (o *Operator) submitSigned(ctx context.Context, e runbook.Effect, r *report) (channelcfg.Result, error) {
	v, _, err := o.submitter.Read(ctx, e.Channel)
	if err != nil {
		return channelcfg.Result{}, err
	}
	u, err := channelcfg.Build(v, e.Change, e.Metadata)
	if err != nil { // in force already, or not to be made now
		return o.submitter.Submit(ctx, e.Channel, e.Change, e.Metadata, r.text)
	}
	box := channels.Box{Dir: filepath.Join(o.runDir, signaturesDir)}
	stale, err := box.Collect(u)
	if err != nil {
		return channelcfg.Result{}, err
	}
	for _, a := range o.submitter.Admins {
		if signed, err := u.SignedBy(a); err != nil {
			return channelcfg.Result{}, err
		} else if signed {
			continue
		}
		if err := u.Sign(a); err != nil {
			return channelcfg.Result{}, err
		}
	}
	missing, refused := channelcfg.Judge(v, u)
	if refused == nil {
		return o.submitter.SubmitUpdate(ctx, u, r.text)
	}
	if err := box.Put(u); err != nil {
		return channelcfg.Result{}, err
	}
	p := &runbook.Problem{
		What: "the update " + string(e.Change) + " waits for signatures", Where: e.Channel, Why: refused.Error(),
		Hint: fmt.Sprintf("Have %s signed (raftmig sign, or peer channel signconfigtx), put the signed file into the same folder under any name that ends in .tx, and retry.", box.File(u)),
		Ref:  guideAssumptions,
	}
	if len(missing) > 0 {
		p.Hint = "No administrator of " + strings.Join(missing, ", ") + " has signed. " + p.Hint
	}
	if stale {
		p.Hint += " The channel's configuration has changed meanwhile: what was signed before counts no more."
	}
	return channelcfg.Result{}, p
}

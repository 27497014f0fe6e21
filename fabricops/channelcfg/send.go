package channelcfg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"raftmig/fabricops/broadcast"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// SubmitUpdate brings an update that others have signed into force: it is
// wrapped as the first administrator, sent to one node, and its block awaited.
// It is sent again where it may not have arrived; that does no harm, for an
// update names the versions that it was computed from and takes effect once at
// most (spec 7.1). No signature is added to those that it has.
func (s *Submitter) SubmitUpdate(ctx context.Context, u *Update, progress func(string)) (Result, error) {
	first, node, err := s.Read(ctx, u.Channel)
	if err != nil {
		return Result{}, err
	}
	goal := func(v *View) bool { return v.Carries(u) }
	if goal(first) {
		return Result{Receipt: receipt(first, u.Change, node), AlreadyDone: true}, nil
	}
	env, err := u.Envelope(s.Admins[0], s.Now(), s.TLSCertHash)
	if err != nil {
		return Result{}, err
	}
	maybeSent := false
	for at, pause := indexOf(s.Nodes, node), firstPause; ; at++ {
		to := s.Nodes[at%len(s.Nodes)]
		progress(fmt.Sprintf("%s: sending the update to %s", u.Channel, to))
		sendCtx, cancel := context.WithTimeout(ctx, sendTimeout)
		err := s.Broadcast.Send(sendCtx, to, env)
		cancel()
		accepted := err == nil
		maybeSent = maybeSent || accepted || errors.Is(err, broadcast.ErrUnknownOutcome)
		// A refusal of a repeated update may mean that the first one arrived.
		if accepted || maybeSent && badRequest(err) {
			progress(fmt.Sprintf("%s: waiting for the block on %s", u.Channel, to))
			next, waitErr := s.awaitBlock(ctx, to, first, goal)
			if waitErr == nil {
				return updated(next, u.Change, to, accepted), nil
			}
			if accepted {
				err = waitErr
			}
		}
		if badRequest(err) && !maybeSent {
			if r, done := s.overtaken(ctx, first, u, goal); done {
				return r, nil
			}
		}
		if permanent(err) || badRequest(err) {
			return Result{}, err
		}
		progress(fmt.Sprintf("%s: %v; trying the next node", u.Channel, err))
		select {
		case <-ctx.Done():
			return Result{}, fmt.Errorf("channel %s: the update is not in force: %w", u.Channel, err)
		case <-time.After(pause):
		}
		pause = min(pause*2, lastPause)
	}
}

// overtaken looks once more after a refusal: the update may have come into force
// by another way since first was read. A node applies a configuration a moment
// before it shows its block.
func (s *Submitter) overtaken(ctx context.Context, first *View, u *Update, goal func(*View) bool) (Result, bool) {
	select {
	case <-ctx.Done():
		return Result{}, false
	case <-time.After(2 * firstPause):
	}
	now, node, err := s.Read(ctx, u.Channel)
	if err != nil || now.Sequence() == first.Sequence() {
		return Result{}, false
	}
	if !goal(now) { // another update may have come after it
		if now, err = s.awaitBlock(ctx, node, first, goal); err != nil {
			return Result{}, false
		}
	}
	return Result{Receipt: receipt(now, u.Change, node), AlreadyDone: true}, true
}

func updated(v *View, change runbook.Change, node string, accepted bool) Result {
	r := Result{Receipt: receipt(v, change, node)}
	if r.Receipt.Status = statusLost; accepted {
		r.Receipt.Status = "SUCCESS"
	}
	return r
}

// Carries reports whether this configuration is the result of an update.
func (v *View) Carries(u *Update) bool {
	if v.LastUpdate == nil {
		return false
	}
	inner, err := protoutil.EnvelopeToConfigUpdate(v.LastUpdate)
	return err == nil && bytes.Equal(inner.ConfigUpdate, u.Bytes)
}

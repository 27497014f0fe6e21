package deliver

import (
	"fmt"
	"time"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msgprocessor"
)

// access decides whether a request's client may read. The policy is evaluated
// anew when the channel's configuration has changed; the certificate's expiry
// is looked at every time.
type access struct {
	h         *Handler
	channel   Channel
	req       *request
	expiresAt time.Time // zero: never

	config    channelconfig.Resources // for which the policy was satisfied
	satisfied bool
}

func (h *Handler) newAccess(c Channel, req *request) *access {
	a := &access{h: h, channel: c, req: req}
	if !h.NoExpirationChecks {
		a.expiresAt = msgprocessor.ExpiresAt(req.creator)
	}
	return a
}

func (a *access) evaluate() error {
	if now := a.h.Now(); !a.expiresAt.IsZero() && now.After(a.expiresAt) {
		return fmt.Errorf("deliver client identity expired %v before", now.Sub(a.expiresAt))
	}
	current := a.channel.Resources()
	if a.satisfied && current == a.config {
		return nil
	}
	a.satisfied = false
	if err := a.h.readers.Apply(current, a.req.msg); err != nil {
		return err
	}
	a.config, a.satisfied = current, true
	return nil
}

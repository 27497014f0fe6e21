package cluster

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// expiryWarning warns about a certificate in use that ends soon, at most once
// per ExpirationWarningInterval.
type expiryWarning struct {
	notAfter       time.Time
	threshold      time.Duration
	node, endpoint string
	log            *zap.SugaredLogger
	now            func() time.Time

	mu   sync.Mutex
	last time.Time
}

func (w *expiryWarning) check(channel string) {
	now := w.now()
	left := w.notAfter.Sub(now)
	if w.notAfter.IsZero() || left > w.threshold {
		return
	}
	w.mu.Lock()
	due := now.Sub(w.last) >= ExpirationWarningInterval
	if due {
		w.last = now
	}
	w.mu.Unlock()
	if due {
		w.log.Warnf("Certificate of %s from %s for channel %s expires in less than %v", w.node, w.endpoint, channel, left)
	}
}

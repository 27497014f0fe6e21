package kafka

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"raftmig/orderer/localconfig"
)

// errExit ends a retry loop whose context ended.
var errExit = errors.New("process asked to exit")

// permanent wraps an error that trying again cannot cure.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// retrier tries an operation at short and then at long intervals (spec 3.8).
type retrier struct {
	opts localconfig.Retry
	log  *zap.SugaredLogger
	id   string // the channel, for log lines
}

// do calls try until it succeeds: at once, then every ShortInterval for
// ShortTotal, then, beginning at once, every LongInterval for LongTotal. It
// returns the last error, or errExit once ctx has ended.
func (r retrier) do(ctx context.Context, what string, try func() error) error {
	err := r.phase(ctx, what, r.opts.ShortInterval, r.opts.ShortTotal, try)
	if err == nil || isFinal(err) {
		return err
	}
	r.log.Warnf("[channel: %s] Switching to the long retry interval of %s (%s: %s)", r.id, r.opts.LongInterval, what, err)
	return r.phase(ctx, what, r.opts.LongInterval, r.opts.LongTotal, try)
}

func isFinal(err error) bool {
	var p permanent
	return errors.Is(err, errExit) || errors.As(err, &p)
}

func (r retrier) phase(ctx context.Context, what string, interval, total time.Duration, try func() error) error {
	if interval <= 0 || total <= 0 {
		return permanent{errors.New("illegal value")}
	}
	attempt := func() error {
		r.log.Debugf("[channel: %s] %s", r.id, what)
		err := try()
		if err != nil {
			r.log.Debugf("[channel: %s] Need to retry because process failed = %s", r.id, err)
		}
		return err
	}
	err := attempt()
	if err == nil || isFinal(err) {
		return err
	}
	r.log.Warnf("[channel: %s] %s failed and is tried every %s for %s: %s", r.id, what, interval, total, err)
	tick, end := time.NewTicker(interval), time.NewTimer(total)
	defer tick.Stop()
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			r.log.Warnf("[channel: %s] process asked to exit", r.id)
			return errExit
		case <-end.C:
			return err
		case <-tick.C:
			if err = attempt(); err == nil || isFinal(err) {
				return err
			}
		}
	}
}

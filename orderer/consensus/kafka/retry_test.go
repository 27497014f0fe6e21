package kafka

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/localconfig"
)

func TestRetry(t *testing.T) {
	down := errors.New("down")
	opts := localconfig.Retry{
		ShortInterval: time.Second, ShortTotal: 3500 * time.Millisecond,
		LongInterval: 10 * time.Second, LongTotal: 25 * time.Second,
	}
	for _, tc := range []struct {
		name      string
		opts      localconfig.Retry
		succeedAt int // number of the attempt that succeeds; 0: none does
		err       error
		haltAfter time.Duration
		want      string
		at        []time.Duration
	}{
		{name: "success at once", opts: opts, succeedAt: 1, at: []time.Duration{0}},
		{name: "success within the short phase", opts: opts, succeedAt: 3,
			at: []time.Duration{0, time.Second, 2 * time.Second}},
		{name: "the long phase begins at once and ends with the last error", opts: opts, err: down, want: "down",
			at: []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, 3500 * time.Millisecond, 13500 * time.Millisecond, 23500 * time.Millisecond}},
		{name: "halting ends it", opts: opts, err: down, haltAfter: 1500 * time.Millisecond, want: "process asked to exit",
			at: []time.Duration{0, time.Second}},
		{name: "an error that cannot be cured ends it", opts: opts, err: permanent{down}, want: "down", at: []time.Duration{0}},
		{name: "without intervals nothing is tried", opts: localconfig.Retry{}, err: down, want: "illegal value"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.haltAfter > 0 {
					time.AfterFunc(tc.haltAfter, cancel)
				}
				begin := time.Now()
				var at []time.Duration
				err := retrier{tc.opts, zap.NewNop().Sugar(), "ch"}.do(ctx, "trying", func() error {
					at = append(at, time.Since(begin))
					if len(at) == tc.succeedAt {
						return nil
					}
					if tc.err == nil {
						return down
					}
					return tc.err
				})
				require.Equal(t, tc.at, at)
				if tc.want == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, tc.want)
				}
			})
		})
	}
}

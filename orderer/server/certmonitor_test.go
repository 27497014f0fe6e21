package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Appendix D, 9: what is logged of a certificate at the start, and a week
// before it ends.
func TestCertificatesThatEndAreWarnedOf(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for _, tc := range []struct {
		name  string
		left  time.Duration
		later time.Duration // how long the orderer runs
		want  []string
	}{
		{"expired", -time.Second, 0, []string{"warn The server TLS certificate has expired"}},
		{"far away", 30 * day, 22 * day, []string{"info The server TLS certificate will expire on 2000-01-31 00:00:00 +0000 UTC"}},
		{"far away, but the week comes", 30 * day, 23*day + time.Second, []string{
			"info The server TLS certificate will expire on 2000-01-31 00:00:00 +0000 UTC", "warn The server TLS certificate will expire within one week",
		}},
		{"within the week", 6*day + 5*hour + time.Minute, 7 * day, []string{
			"info The server TLS certificate will expire on 2000-01-07 05:01:00 +0000 UTC", "warn The server TLS certificate expires within 6 days and 5 hours",
		}},
		{"within the hour", time.Minute, 0, []string{
			"info The server TLS certificate will expire on 2000-01-01 00:01:00 +0000 UTC", "warn The server TLS certificate expires within 0 days and 0 hours",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.DebugLevel)
				now := time.Now().UTC()
				stop := trackExpiration("server TLS", now.Add(tc.left), now, zap.New(core).Sugar())
				time.Sleep(tc.later)
				synctest.Wait()
				stop()
				time.Sleep(365 * day) // nothing more comes after the stop
				var got []string
				for _, e := range logs.All() {
					got = append(got, e.Level.String()+" "+e.Message)
				}
				require.Equal(t, tc.want, got)
			})
		})
	}
	core, logs := observer.New(zap.DebugLevel)
	trackExpiration("enrollment", time.Time{}, time.Now(), zap.New(core).Sugar())()
	require.Zero(t, logs.Len(), "an identity whose end is not known")
	require.Zero(t, notAfter([]byte("junk")))
}

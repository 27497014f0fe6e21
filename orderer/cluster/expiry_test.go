package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestACertificateThatEndsSoonIsWarnedAboutNowAndThen(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := &expiryWarning{
		notAfter: now.Add(10 * 24 * time.Hour), threshold: 7 * 24 * time.Hour,
		node: "orderer1", endpoint: "host:7050", log: zap.New(core).Sugar(), now: func() time.Time { return now },
	}
	w.check("ch1")
	require.Zero(t, logs.Len())
	now = now.Add(4 * 24 * time.Hour)
	w.check("ch1")
	w.check("ch1")
	require.Equal(t, 1, logs.Len())
	require.Equal(t, "Certificate of orderer1 from host:7050 for channel ch1 expires in less than 144h0m0s", logs.All()[0].Message)
	now = now.Add(ExpirationWarningInterval)
	w.check("ch1")
	require.Equal(t, 2, logs.Len())
}

package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPausedProcessCanBeResumedAndStopped(t *testing.T) {
	ctx := t.Context()
	c := controller(t, server(t))
	require.ErrorIs(t, c.Pause(), ErrNotRunning)
	require.NoError(t, c.Start(ctx))
	s, err := c.Status(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Pause())
	waitFor(t, "paused", func() bool { st, _, err := stat(s.PID); return err == nil && st == 'T' })
	require.NoError(t, c.Resume())
	waitFor(t, "resumed", func() bool { st, _, err := stat(s.PID); return err == nil && st != 'T' })
	require.NoError(t, c.Pause())
	require.NoError(t, c.Start(ctx))
	waitFor(t, "started", func() bool { st, _, err := stat(s.PID); return err == nil && st != 'T' })
	require.NoError(t, c.Pause())
	require.NoError(t, c.Stop(ctx))
}

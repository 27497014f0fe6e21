package portrange

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsAreARowBelowTheEphemeralRange(t *testing.T) {
	got, err := Find("127.0.0.1", 13)
	require.NoError(t, err)
	require.Len(t, got, 13)
	for i, p := range got {
		require.Equal(t, got[0]+i, p)
		require.Less(t, p, ephemeral())
		require.GreaterOrEqual(t, p, lowest)
	}
	require.NoError(t, Check("127.0.0.1", got[0], 13))
}

func TestAPortInUseIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p := l.Addr().(*net.TCPAddr).Port
	require.ErrorContains(t, Check("127.0.0.1", p, 1), "is not free")
}

func TestTooManyPortsAreRefused(t *testing.T) {
	_, err := Find("127.0.0.1", 60000)
	require.ErrorContains(t, err, "no room")
}

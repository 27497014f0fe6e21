package node

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
)

// silentAddress is one that answers to nothing: a listener that nobody accepts
// from, with its queue full.
func silentAddress(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 16 {
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			require.NotErrorIs(t, err, syscall.ECONNREFUSED)
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue does not get full")
	return ""
}

// An address that does not answer has not refused: behind a cut line the process
// may run, and its data be written to.
func TestAnAddressThatDoesNotAnswerIsNotDown(t *testing.T) {
	t.Parallel()
	address := silentAddress(t)
	for name, control := range map[string]inventory.Control{
		"by hand":     {Kind: "manual", StopTimeout: time.Second},
		"by commands": {Kind: "command", Start: []string{"true"}, Stop: []string{"true"}, StopTimeout: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := New(inventory.Process{Name: "o0", Address: address, Control: control}, Options{})
			require.NoError(t, err)
			_, err = c.Status(t.Context())
			require.ErrorContains(t, err, address+" neither accepts nor refuses connections")
			require.ErrorContains(t, err, "a status command")
			require.ErrorContains(t, c.Stop(t.Context()), "neither accepts nor refuses connections")
		})
	}
	t.Run("a status command has looked in another way", func(t *testing.T) {
		t.Parallel()
		c, err := New(inventory.Process{Name: "o0", Address: address, Control: inventory.Control{
			Kind: "command", Start: []string{"true"}, Stop: []string{"true"}, Status: []string{"false"},
		}}, Options{})
		require.NoError(t, err)
		s, err := c.Status(t.Context())
		require.NoError(t, err)
		require.False(t, s.Running)
	})
	t.Run("to start it is what helps", func(t *testing.T) {
		t.Parallel()
		c, err := New(inventory.Process{Name: "o0", Address: address, Control: inventory.Control{
			Kind: "command", Start: []string{"false"}, Stop: []string{"true"},
		}}, Options{})
		require.NoError(t, err)
		require.ErrorContains(t, c.Start(t.Context()), "the start command failed")
	})
}

// A line that is cut while a person is asked to stop the process is no stop.
func TestAStopByHandIsNotBelievedOfAnAddressThatFallsSilent(t *testing.T) {
	t.Parallel()
	quiet := silentAddress(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var told []string
	c, err := New(inventory.Process{Name: "o0", Address: l.Addr().String(), Control: inventory.Control{Kind: "manual", StopTimeout: 8 * time.Second}},
		Options{Tell: func(s string) {
			if told = append(told, s); len(told) == 1 {
				require.NoError(t, l.Close())
			}
		}})
	require.NoError(t, err)
	m := c.(*manual)
	m.addresses = append(m.addresses, quiet)
	err = c.Stop(t.Context())
	require.ErrorContains(t, err, "please stop o0 now")
	require.ErrorContains(t, err, quiet+" neither accepts nor refuses connections")
	require.Len(t, told, 2)
	require.Contains(t, told[1], "neither accepts nor refuses")
}

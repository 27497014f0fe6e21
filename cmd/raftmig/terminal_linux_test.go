package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pty opens a pseudo-terminal: whoever holds terminal answers nothing.
func pty(t *testing.T) (terminal, shell *os.File) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo-terminals: %s", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	shell, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR, 0)
	require.NoError(t, err)
	return terminal, shell
}

// A question to the terminal costs a round trip, five seconds where it is not
// answered, and is answered into the shell where the answer comes late.
func TestTheTerminalIsAskedNothing(t *testing.T) {
	bin := binary(t)
	terminal, shell := pty(t)
	cmd := exec.Command(bin, "--version")
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = shell, shell, shell
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, shell.Close())
	said, _ := io.ReadAll(terminal) // ends with an error when the other side is closed
	require.NoError(t, cmd.Wait())
	require.Contains(t, string(said), "raftmig")
	require.NotContains(t, string(said), "\x1b", "an escape sequence")
}

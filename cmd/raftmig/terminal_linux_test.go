package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
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

// A rehearsal whose terminal was left goes on in a process of its own: the
// command that it names for coming back comes back to it.
func TestARehearsalThatWasLeftIsComeBackTo(t *testing.T) {
	dir, file := upNet(t, "--channels", "1")
	t.Cleanup(func() { run(t, nil, "abort", "--yes", "--headless", "--network", file) })
	bin := binary(t)
	leave := func() (code int, said string) {
		terminal, shell := pty(t)
		cmd := exec.Command(bin, "rehearse", "--plain", "--dir", dir, "--resume", "--transactions", "0")
		cmd.Env = append(os.Environ(), "TERM=xterm-256color")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = shell, shell, shell
		cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
		require.NoError(t, cmd.Start())
		require.NoError(t, shell.Close())
		var all strings.Builder
		for lines := bufio.NewScanner(terminal); lines.Scan(); { // ends with an error when the other side is closed
			all.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "Type a number") {
				_, err := terminal.WriteString("q\n")
				require.NoError(t, err)
			}
		}
		_ = cmd.Wait() // the code says it
		return cmd.ProcessState.ExitCode(), all.String()
	}
	for range 2 {
		code, said := leave()
		require.Equal(t, exitStopped, code, said)
		require.Contains(t, said, "Begin the maintenance window?")
		require.Contains(t, said, "it goes on by itself")
		require.Contains(t, said, "raftmig rehearse --dir "+dir+" --resume")
	}
	require.True(t, statusOf(t, file).Driven)
}

package styles

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/tui/present"
)

func TestTheEnvironmentChangesNoByte(t *testing.T) {
	for _, env := range []map[string]string{
		{"TERM": "dumb"},
		{"TERM": "xterm-256color", "COLORTERM": "truecolor", "CLICOLOR_FORCE": "1"},
		{"TERM": "xterm", "NO_COLOR": "1"}, // the caller says mono, not the environment
	} {
		for k, v := range env {
			t.Setenv(k, v)
		}
		colour, mono := New(false, false), New(true, true)
		require.Equal(t, "\x1b[1;31mx\x1b[0m", colour.Tone(present.Bad, "x"))
		require.Equal(t, "\x1b[1;7;31m x \x1b[0m", colour.Badge(present.Bad, "x"))
		require.Equal(t, "\x1b[1mx\x1b[0m", mono.Tone(present.Bad, "x"))
		require.Equal(t, "\x1b[7mx\x1b[0m", mono.Selected("x"))
		require.Equal(t, "x", mono.Tone(present.Normal, "x"))
		require.Empty(t, mono.Tone(present.Bad, ""))
		require.Equal(t, "+", mono.Border.TopLeft)
	}
}

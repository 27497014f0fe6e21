package keymap

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var pages = []Page{PageSteps, PageChannels, PageLog, PageEvidence, PageFindings, PageHelp, PageStep}

func TestNoKeyMeansTwoThingsOnAPage(t *testing.T) {
	for _, p := range pages {
		seen := map[string]bool{}
		for _, b := range Bindings(Context{Page: p, Known: true}) {
			for _, k := range b.Keys() {
				require.False(t, seen[k], "page %d: %q twice", p, k)
				seen[k] = true
			}
		}
	}
}

func TestEveryActionHasAPlainKeyAndNoneNeedsOneThatTerminalsTake(t *testing.T) {
	taken := map[string]bool{"ctrl+a": true, "ctrl+b": true, "ctrl+s": true, "ctrl+q": true, "ctrl+z": true}
	named := map[string]bool{"enter": true, "esc": true, "tab": true}
	for _, p := range pages {
		for _, b := range Bindings(Context{Page: p, Known: true}) {
			plain := false
			for _, k := range b.Keys() {
				require.False(t, taken[k] || len(k) > 4 && k[:4] == "alt+", "%q is taken", k)
				plain = plain || len(k) == 1 || named[k]
			}
			require.True(t, plain, "%s has no plain key", b.Help().Desc)
		}
	}
}

func TestWhatCannotBeUsedSaysWhy(t *testing.T) {
	off := func(c Context, a Action) string {
		for _, b := range Bindings(c) {
			if b.Action == a {
				require.Equal(t, b.Off == "", b.Enabled(), "the reason and the binding contradict each other")
				return b.Off
			}
		}
		t.Fatalf("no action %d", a)
		return ""
	}
	require.Empty(t, off(Context{Known: true}, Abort))
	require.Equal(t, "the way is closed", off(Context{Known: true, AbortOff: "the way is closed"}, Abort))
	require.Equal(t, "no step has failed", off(Context{Known: true}, Retry))
	require.Empty(t, off(Context{Known: true, Still: true}, Retry))
	require.Empty(t, off(Context{Known: true, Still: true}, GiveUp))
	require.Equal(t, "nothing waits for an answer", off(Context{Known: true}, Answer))
	require.Empty(t, off(Context{Known: true, Waiting: true}, Answer))
	require.Empty(t, off(Context{Lost: true}, Answer), "a lost connection can be made anew before anything came by it")
	for _, a := range []Action{Abort, Retry, GiveUp} {
		require.Equal(t, "this terminal is read-only", off(Context{Known: true, Still: true, ReadOnly: true}, a))
		require.Equal(t, "the connection to the run is lost", off(Context{Known: true, Still: true, Lost: true}, a))
		require.Equal(t, "the run has ended", off(Context{Known: true, Ended: true}, a))
		require.NotEmpty(t, off(Context{}, a))
	}
	for _, p := range pages {
		for _, c := range []Context{{Page: p}, {Page: p, ReadOnly: true}, {Page: p, Lost: true}, {Page: p, Ended: true, Known: true}} {
			require.Empty(t, off(c, Leave))
			require.Empty(t, off(c, Help))
		}
	}
}

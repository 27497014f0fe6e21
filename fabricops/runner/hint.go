package runner

import (
	"strings"
	"unicode"
)

// Arguments are what names a network and its runs to another raftmig command,
// quoted for a shell, with a space before each word; "" where that is the default.
type Arguments string

// of returns a raftmig command about this network, to be typed as it stands.
func (a Arguments) of(command string) string { return "raftmig " + command + string(a) }

// Quote quotes a word for a shell where it must be.
func Quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+,:@%", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

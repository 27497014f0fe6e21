package present

// HelpKey is one line of the help.
type HelpKey struct{ Key, Text, Off string }

// HelpItems are the keys of the page the help was called from; those that
// cannot be used now come with the reason.
func HelpItems(keys []HelpKey, inProcess bool) []Item {
	out := []Item{Para(Strong, "Keys that work here"), Blank()}
	var off []Item
	for _, k := range keys {
		if k.Off != "" {
			off = append(off, Item{Label: k.Key, Line: Line{{Muted, Clean(k.Text) + ": "}, {Normal, Clean(k.Off)}}})
			continue
		}
		out = append(out, Field(k.Key, Normal, k.Text))
	}
	if len(off) > 0 {
		out = append(out, Blank(), Para(Strong, "Not now"), Blank())
		out = append(out, off...)
	}
	leave := "Leaving the screen never stops the run; it goes on to the next point where it needs you, and waits there."
	if inProcess {
		leave = "This run lives in this process: leaving ends it where it is. It can be resumed."
	}
	return append(out, Blank(), Para(Normal, leave), Para(Normal, "No single key changes anything: answers want a choice and enter, or a name typed."))
}

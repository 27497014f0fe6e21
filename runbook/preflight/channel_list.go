package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"raftmig/runbook"
)

// Sources that need not be complete: the inventory names what somebody thought
// of, and Kafka may serve others or keep topics of channels that are gone.
const (
	sourceInventory = "inventory"
	sourceTopics    = "kafka topics"
)

var channelList = check{
	id:    "channels.sources",
	title: "channel list",
	hint: "Find out about the channel that only some sources know: a forgotten channel is dead after the migration. " +
		"A topic of a channel that never existed or was removed can be ignored.",
	ok: func(f runbook.Facts) string {
		return fmt.Sprintf("%d channels, the same in all sources", len(f.ChannelList.Names))
	},
	judge: func(f runbook.Facts) []complaint {
		l := f.ChannelList
		var out []complaint
		if l.System == "" || !slices.Contains(l.Names, l.System) {
			out = append(out, bad("there is no system channel"))
		}
		if len(l.Sources) < 2 {
			out = append(out, doubtful("only %d source could be asked", len(l.Sources)))
		}
		for _, source := range slices.Sorted(maps.Keys(l.Sources)) {
			missing, extra := without(l.Names, l.Sources[source]), without(l.Sources[source], l.Names)
			if len(missing) > 0 && source != sourceInventory {
				out = append(out, bad("%s: no sign of %s", source, strings.Join(missing, ", ")))
			}
			switch {
			case len(extra) == 0:
			case source == sourceTopics:
				out = append(out, doubtful("%s: %s, known nowhere else", source, strings.Join(extra, ", ")))
			default:
				out = append(out, bad("%s: %s, known nowhere else", source, strings.Join(extra, ", ")))
			}
		}
		return out
	},
}

// without returns the names that are not in known.
func without(names, known []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(known, n) })
}

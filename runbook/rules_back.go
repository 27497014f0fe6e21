package runbook

import "fmt"

// noWayBack is rule R9.
func noWayBack(h *history) string {
	exits := h.of(SubmitUpdate, func(d deed) bool { return d.Step == StepExitNormal })
	if len(exits) == 0 {
		return ""
	}
	last := exits[len(exits)-1].begun
	stops := h.of(StopNodes, func(d deed) bool { return onWayBack(d) && d.begun > last })
	if len(stops) == 0 {
		return ""
	}
	for _, d := range exits {
		if d.done {
			return d.Channel + " left maintenance mode on Raft, and the run went back all the same"
		}
	}
	for _, stop := range stops {
		for _, c := range h.channels(stop.begun) {
			if stop.Tier == TierOrderers && !h.proven(c, expected(ChangeSwitchType, false), last, stop.begun) {
				return c + " may have left maintenance mode on Raft when the run went back"
			}
		}
	}
	return restoredOver(h, last)
}

// restoredOver demands of what is restored or removed after an exit on Raft was
// tried, the last time at a position: after the orderers were down the ledger of
// every channel on every orderer was read, and is no newer than what was seen
// before they were stopped. A restoration that was begun is gone on with.
func restoredOver(h *history, exit int) string {
	for _, d := range h.deeds {
		if d.begun < exit || !onWayBack(d) || d.Kind != RestoreBackup && d.Kind != RemoveRaftState {
			continue
		}
		stop := h.of(StopNodes, func(s deed) bool { return onWayBack(s) && s.Tier == TierOrderers && s.begun < d.begun })
		if len(stop) == 0 {
			return fmt.Sprintf("%s before the orderers were stopped", d.Kind)
		}
		stopped := stop[len(stop)-1].begun
		looked := h.of(ReadLedgers, func(l deed) bool {
			return l.done && l.begun > stopped && l.ended < d.begun && h.down(TierOrderers, l.begun) &&
				firstAfter(h.of(StartNodes, func(s deed) bool { return s.Tier == TierOrderers && s.begun < d.begun }), l.begun) < 0
		})
		for _, c := range h.channels(d.begun) {
			if len(looked) == 0 || !h.newest(looked[len(looked)-1], c, exit, stopped) {
				return fmt.Sprintf("%s although the ledger of %s at rest may be newer than what was seen in maintenance mode", d.Kind, c)
			}
		}
	}
	return ""
}

// newest reports whether what an effect read of a channel on every orderer is in
// maintenance mode on Raft, and no higher than it was seen last between two
// positions.
func (h *history) newest(look deed, channel string, after, before int) bool {
	seen, ok := h.seen(channel, after, before)
	x := expected(ChangeSwitchType, false)
	x.MaxHeights = map[string]uint64{channel: highest(seen)}
	for _, c := range look.evidence.Channels {
		if c.Name == channel {
			return ok && unseen(h.plan.Orderers, []string{channel}, []ChannelState{c}) == nil && len(x.Judge([]ChannelState{c})) == 0
		}
	}
	return false
}

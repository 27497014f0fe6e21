package runbook

import "slices"

// history is what the rules look at: the events of a journal, with each
// effect's intent and result brought together.
type history struct {
	plan   Plan
	deeds  []deed
	events []Event
}

// deed is an effect that was intended, with its result if there is one.
// Positions are indices into the events; ended is -1 without a result.
type deed struct {
	Effect
	begun, ended int
	done         bool
	evidence     Evidence
}

func newHistory(events []Event) *history {
	h := &history{events: events}
	for i, ev := range events {
		switch ev.Kind {
		case EventStarted:
			if ev.Plan != nil {
				h.plan = *ev.Plan
			}
		case EventIntended:
			h.deeds = append(h.deeds, deed{Effect: *ev.Effect, begun: i, ended: -1})
		case EventDone, EventFailed:
			for j := len(h.deeds) - 1; j >= 0; j-- {
				if d := &h.deeds[j]; d.ID == ev.ID && d.ended < 0 {
					d.ended, d.done = i, ev.Kind == EventDone
					if ev.Evidence != nil {
						d.evidence = *ev.Evidence
					}
					break
				}
			}
		}
	}
	return h
}

// of returns the deeds of a kind that satisfy a condition.
func (h *history) of(kind EffectKind, holds func(deed) bool) []deed {
	var out []deed
	for _, d := range h.deeds {
		if d.Kind == kind && (holds == nil || holds(d)) {
			out = append(out, d)
		}
	}
	return out
}

func (h *history) updates(c Change) []deed {
	return h.of(SubmitUpdate, func(d deed) bool { return d.Change == c })
}

func onWayBack(d deed) bool { return phaseOf(d.Step) == PhaseRollback }

// system returns the name of the system channel as listed before a position.
func (h *history) system(before int) string {
	name := ""
	for _, d := range h.of(ListChannels, nil) {
		if d.done && d.ended < before && d.evidence.ChannelList != nil {
			name = d.evidence.ChannelList.System
		}
	}
	return name
}

// channels returns the channels listed before a position.
func (h *history) channels(before int) []string {
	var names []string
	for _, d := range h.of(ListChannels, nil) {
		if d.done && d.ended < before && d.evidence.ChannelList != nil {
			names = d.evidence.ChannelList.Names
		}
	}
	return names
}

// seen returns the last observation of a channel that ended between two positions.
func (h *history) seen(channel string, after, before int) (ChannelState, bool) {
	for i := len(h.deeds) - 1; i >= 0; i-- {
		d := h.deeds[i]
		if d.ended <= after || d.ended >= before || d.ended < 0 {
			continue
		}
		for _, c := range d.evidence.Channels {
			if c.Name == channel {
				return c, true
			}
		}
	}
	return ChannelState{}, false
}

// proven reports whether, between two positions, every orderer of the plan was
// seen to meet an expectation on a channel, last.
func (h *history) proven(channel string, x Expectation, after, before int) bool {
	c, ok := h.seen(channel, after, before)
	if !ok {
		return false
	}
	for _, node := range h.plan.Orderers {
		if !slices.ContainsFunc(c.Nodes, func(n NodeState) bool { return n.Node == node }) {
			return false
		}
	}
	return len(x.Judge([]ChannelState{c})) == 0
}

// firstAfter returns the position of the first deed of a list that was begun
// after a position, -1 if there is none.
func firstAfter(deeds []deed, position int) int {
	for _, d := range deeds {
		if d.begun > position {
			return d.begun
		}
	}
	return -1
}

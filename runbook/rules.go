package runbook

import (
	"bytes"
	"fmt"
	"slices"
)

// Rule is one of the invariants of a run, as a predicate over the events
// of a journal. It looks at what was done and found, not at the runbook's
// state, so that it can find the runbook wrong. Rules hold at every moment of a
// run: also for every beginning of its journal.
type Rule struct {
	ID   string
	Text string
	// broken says how the events break the rule, "" if they do not.
	broken func(h *history) string
}

// Rules returns the invariants of every migration.
func Rules() []Rule {
	return []Rule{
		{"R1", "The system channel comes first in every round of updates, proven on every orderer.", systemFirst},
		{"R2", "All channels migrate in one window; they are listed again after the system channel is frozen.", oneWindow},
		{"R3", "State and Type never change in one update; an update changes one thing.", oneThing},
		{"R4", "The backup lies between maintenance and switch, of processes that are down; orderers stop before brokers, brokers before ZooKeeper, and before the brokers stop the flush is proven.", backupBetween},
		{"R5", "Every channel gets the same Raft metadata, byte by byte.", sameMetadata},
		{"R6", "The type change is the last block of every channel on every orderer before the restart.", typeChangeLast},
		{"R7", "Maintenance mode is left on Raft only after the restart, with a leader agreed on every channel.", leadersFirst},
		{"R8", "Nothing is built on a change before it is proven on every orderer of every channel.", provenEverywhere},
		{"R9", "After the first update that leaves maintenance mode on Raft there is no way back, unless all channels were seen not to have left; nothing is restored before the ledgers at rest say the same.", noWayBack},
	}
}

// Broken returns, for each rule that the events break, its ID and how.
func Broken(events []Event) []string {
	h := newHistory(events)
	var out []string
	for _, r := range procedureOf(h.plan).rules {
		if how := r.broken(h); how != "" {
			out = append(out, r.ID+": "+how)
		}
	}
	return out
}

// expected is what nodes must show after a change, in terms of the history.
func expected(c Change, back bool) Expectation {
	switch {
	case c == ChangeEnterMaintenance:
		return Expectation{Type: TypeKafka, State: StateMaintenance}
	case c == ChangeSwitchType:
		return Expectation{Type: TypeRaft, State: StateMaintenance}
	case back:
		return Expectation{Type: TypeKafka, State: StateNormal}
	default:
		return Expectation{Type: TypeRaft, State: StateNormal}
	}
}

func systemFirst(h *history) string {
	for _, c := range []Change{ChangeEnterMaintenance, ChangeSwitchType, ChangeExitMaintenance} {
		for _, d := range h.updates(c) {
			system := h.system(d.begun)
			if system == "" {
				return fmt.Sprintf("%s on %s before the channels were listed", c, d.Channel)
			}
			if d.Channel != system && !h.proven(system, expected(c, onWayBack(d)), -1, d.begun) {
				return fmt.Sprintf("%s on %s before it was proven on %s", c, d.Channel, system)
			}
		}
	}
	return ""
}

func oneWindow(h *history) string {
	switches := h.updates(ChangeSwitchType)
	if len(switches) == 0 {
		return ""
	}
	first := switches[0].begun
	frozen := -1
	for _, d := range h.deeds {
		if d.ended >= 0 && h.proven(h.system(d.ended+1), expected(ChangeEnterMaintenance, false), -1, d.ended+1) {
			frozen = d.ended
			break
		}
	}
	relisted := h.of(ListChannels, func(d deed) bool { return d.done && d.begun > frozen && d.ended < first })
	if frozen < 0 || len(relisted) == 0 {
		return "the channels were not listed again between freezing the system channel and the switch"
	}
	// The restart ends the window: every channel listed must be switched by then.
	restart := firstAfter(h.of(StopNodes, func(d deed) bool { return phaseOf(d.Step) == PhaseRestart }), first)
	if restart < 0 {
		return ""
	}
	for _, c := range h.channels(first) {
		if !slices.ContainsFunc(switches, func(d deed) bool { return d.Channel == c && d.begun < restart }) {
			return c + " was not switched before the restart"
		}
	}
	return ""
}

func oneThing(h *history) string {
	for _, d := range h.of(SubmitUpdate, nil) {
		switch {
		case d.Change == ChangeSwitchType && len(d.Metadata) == 0:
			return "the type of " + d.Channel + " was changed without metadata"
		case d.Change != ChangeSwitchType && len(d.Metadata) > 0:
			return fmt.Sprintf("%s on %s carries metadata", d.Change, d.Channel)
		case !slices.Contains([]Change{ChangeEnterMaintenance, ChangeSwitchType, ChangeExitMaintenance}, d.Change):
			return fmt.Sprintf("%q on %s is no update of the guide", d.Change, d.Channel)
		}
	}
	return ""
}

func sameMetadata(h *history) string {
	switches := h.updates(ChangeSwitchType)
	for _, d := range switches {
		if !bytes.Equal(d.Metadata, switches[0].Metadata) {
			return fmt.Sprintf("%s got other metadata than %s", d.Channel, switches[0].Channel)
		}
	}
	return ""
}

func typeChangeLast(h *history) string {
	for _, d := range h.of(StopNodes, func(d deed) bool { return phaseOf(d.Step) == PhaseRestart && d.Tier == TierOrderers }) {
		x := expected(ChangeSwitchType, false)
		x.TypeChangeLast, x.Agreement = true, true
		last := 0
		for _, u := range h.of(SubmitUpdate, func(u deed) bool { return u.begun < d.begun }) {
			last = max(last, u.begun)
		}
		for _, c := range h.channels(d.begun) {
			if !h.proven(c, x, last, d.begun) {
				return "orderers were stopped for the restart before " + c + " was proven to end with the type change"
			}
		}
	}
	return ""
}

func leadersFirst(h *history) string {
	for _, d := range h.updates(ChangeExitMaintenance) {
		if onWayBack(d) || d.Channel != h.system(d.begun) {
			continue
		}
		started := -1
		for _, s := range h.of(StartNodes, func(s deed) bool { return phaseOf(s.Step) == PhaseRestart && s.done && s.ended < d.begun }) {
			started = s.ended
		}
		if started < 0 {
			return "maintenance mode was left before the restart"
		}
		x := expected(ChangeSwitchType, false)
		x.Leader = true
		earlier := h.of(SubmitUpdate, func(u deed) bool { return u.Step == StepExitNormal && u.begun < d.begun })
		for _, c := range h.channels(d.begun) {
			if !h.proven(c, x, started, firstBegun(earlier, d.begun)) {
				return "maintenance mode was left before " + c + " had a leader that every orderer names"
			}
		}
	}
	return ""
}

func firstBegun(deeds []deed, otherwise int) int {
	if len(deeds) == 0 {
		return otherwise
	}
	return deeds[0].begun
}

func provenEverywhere(h *history) string {
	for _, next := range []struct {
		change Change
		phase  Phase
		kind   EffectKind
	}{
		{ChangeEnterMaintenance, PhaseBackup, StopNodes},
		{ChangeSwitchType, PhaseRestart, StopNodes},
		{ChangeExitMaintenance, PhaseVerify, SendTransactions},
	} {
		begun := firstAfter(h.of(next.kind, func(d deed) bool { return phaseOf(d.Step) == next.phase }), -1)
		if begun < 0 {
			continue
		}
		for _, c := range h.channels(begun) {
			if !h.proven(c, expected(next.change, false), -1, begun) {
				return fmt.Sprintf("%s was not proven on every orderer of %s before phase %s", next.change, c, next.phase)
			}
		}
	}
	return ""
}

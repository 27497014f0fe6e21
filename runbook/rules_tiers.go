package runbook

import "fmt"

// backupBetween is rule R4.
func backupBetween(h *history) string {
	if how := stopOrder(h); how != "" {
		return how
	}
	if how := flushed(h); how != "" {
		return how
	}
	backups := h.of(TakeBackup, nil)
	for _, b := range backups {
		for _, c := range h.channels(b.begun) {
			if !h.proven(c, expected(ChangeEnterMaintenance, false), -1, b.begun) {
				return "the backup was taken before " + c + " was in maintenance mode"
			}
		}
		for _, t := range tiers(h.plan) {
			if !h.down(t, b.begun) {
				return fmt.Sprintf("the backup was taken while %s may have run", t)
			}
		}
	}
	for _, r := range h.of(RestoreBackup, nil) {
		for _, t := range tiers(h.plan) {
			if !h.down(t, r.begun) {
				return fmt.Sprintf("the backup was restored while %s may have run", t)
			}
		}
	}
	if switches := h.updates(ChangeSwitchType); len(switches) > 0 {
		verified := h.of(VerifyBackup, func(d deed) bool { return d.done && d.ended < switches[0].begun })
		if len(backups) == 0 || len(verified) == 0 {
			return "the type was changed without a verified backup"
		}
		if backups[len(backups)-1].begun > switches[0].begun {
			return "the backup was taken after a type change"
		}
	}
	return ""
}

// flushed demands that brokers are stopped for the backup only after it was
// proven, with the orderers down, that Kafka and the ledgers hold the same.
func flushed(h *history) string {
	for _, d := range h.of(StopNodes, func(d deed) bool { return phaseOf(d.Step) == PhaseBackup && d.Tier == TierBrokers }) {
		proofs := h.of(ProveFlush, func(p deed) bool {
			return p.done && p.ended < d.begun && h.down(TierOrderers, p.begun) &&
				JudgeFlush(h.channels(p.begun), h.plan.Orderers, p.evidence.Flush) == nil && JudgeBrokers(p.evidence.Processes) == nil
		})
		if len(proofs) == 0 {
			return "brokers were stopped for the backup before it was proven that they are flushed"
		}
	}
	return ""
}

// stopOrder demands that a tier is stopped only when the tiers that depend on
// it are down.
func stopOrder(h *history) string {
	for _, d := range h.of(StopNodes, nil) {
		switch d.Tier {
		case TierBrokers:
			if !h.down(TierOrderers, d.begun) {
				return "brokers were stopped while orderers may have run"
			}
		case TierZooKeeper:
			if !h.down(TierBrokers, d.begun) {
				return "ZooKeeper was stopped while brokers may have run"
			}
		}
	}
	return ""
}

// down reports whether a tier was proven down before a position, and not
// started again since.
func (h *history) down(t Tier, before int) bool {
	down := false
	for i := range before {
		for _, d := range h.deeds {
			switch {
			case d.begun == i && d.Kind == StartNodes && d.Tier == t:
				down = false
			case d.ended == i && d.Kind == StopNodes && d.Tier == t && d.done:
				down = true
			case d.ended == i && d.Kind == ReadProcesses && d.done && (d.Tier == t || d.Tier == ""):
				down = allDown(d.evidence.Processes, t)
			}
		}
	}
	return down
}

func allDown(processes []ProcessState, t Tier) bool {
	any := false
	for _, p := range processes {
		if p.Tier == t {
			if p.Running {
				return false
			}
			any = true
		}
	}
	return any
}

func tiers(p Plan) []Tier {
	out := []Tier{TierOrderers}
	if len(p.Brokers) > 0 {
		out = append(out, TierBrokers)
	}
	if len(p.ZooKeeper) > 0 {
		out = append(out, TierZooKeeper)
	}
	return out
}

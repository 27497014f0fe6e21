package script

import (
	"fmt"
	"time"

	"raftmig/runbook"
)

// Scene is a moment of a run as a screen would meet it.
type Scene struct {
	Name     string
	Snapshot *runbook.Snapshot
	Progress *runbook.Progress
	Log      []runbook.LogLine
	Lost     bool
	Now      time.Time
}

// Scenes are the moments that the goldens show.
func Scenes() []Scene {
	return []Scene{
		prepareFindings(), maintenance("maintenance", Small), maintenance("maintenance-25", Large), plainGate(), severeGate(),
		failedStep(), rollbackRunning(), Migrated(), rolledBack(), lost(),
	}
}

func scene(name string, s *runbook.Snapshot) Scene {
	sc := Scene{Name: name, Snapshot: s, Now: Begin.Add(20 * time.Second), Log: Log()}
	if s.Current >= 0 && !s.Steps[s.Current].StartedAt.IsZero() {
		sc.Now = s.Steps[s.Current].StartedAt.Add(2 * time.Second)
		s.ObservedAt = sc.Now.Add(-time.Second)
	}
	return sc
}

func prepareFindings() Scene {
	s := At(Small, runbook.StepConsenters)
	bad := runbook.Finding{Check: "tls.trusted", Severity: runbook.SeverityError, Summary: "a consenter's certificate is not trusted by a channel",
		Evidence: []string{"trade-finance: orderer2: x509: certificate signed by unknown authority (TLS CA of Org2)"},
		Hint:     "Add Org2's TLS CA to the orderer organisations of trade-finance with a configuration update, then retry."}
	s = At(Small, runbook.StepPreflight)
	s.Findings = append([]runbook.Finding{bad}, findings()...)
	fail(s, &runbook.Problem{What: "1 check failed", Where: "trade-finance", Why: bad.Summary, Hint: bad.Hint, Ref: bad.Check})
	sc := scene("prepare-findings", s)
	sc.Log = Log()[:3]
	return sc
}

// fail makes the current step fail.
func fail(s *runbook.Snapshot, p *runbook.Problem) {
	st := &s.Steps[s.Current]
	st.Status, st.Problem, st.EndedAt = runbook.StatusFailed, p, st.StartedAt.Add(2*time.Second)
	s.Problem, s.Active = p, nil
}

func maintenance(name string, sh Shape) Scene {
	s := At(sh, runbook.StepEnterMaintenance)
	done := sh.Channels/2 + 1
	for i := range s.Channels[:done] {
		for n := range s.Channels[i].Nodes {
			ns := &s.Channels[i].Nodes[n]
			ns.State, ns.ConfigSequence, ns.Height = "STATE_MAINTENANCE", 4, ns.Height+1
		}
	}
	last := &s.Channels[done-1]
	last.Nodes[2].State, last.Nodes[2].ConfigSequence, last.Nodes[2].Height = "STATE_NORMAL", 3, last.Nodes[2].Height-1
	sc := scene(name, s)
	sc.Progress = &runbook.Progress{Effect: s.Active[0].ID, Done: int64(done), Total: int64(sh.Channels + 1), Unit: "channels",
		Text: fmt.Sprintf("%s on orderer2: STATE_NORMAL", last.Name)}
	return sc
}

func wait(s *runbook.Snapshot, g runbook.Gate) {
	st := &s.Steps[s.Current]
	st.Status = runbook.StatusWaiting
	g.Step = st.ID
	s.Gate, s.Active = &g, nil
}

func plainGate() Scene {
	s := At(Small, runbook.StepConfirmPlan)
	wait(s, runbook.Gate{
		Title: "Begin the maintenance window?",
		Text: "From the next step on, clients are refused until the end. Stop peers and clients now if you can: their logs fill with harmless " +
			"errors otherwise. The way back stays open until the channels leave maintenance mode on Raft.",
		Facts: []string{"Network rehearsal-net: 3 channels, 3 orderers", "Channels: byfn-sys-channel, settlement, trade-finance",
			"Raft metadata: 5d1f0c9a", "Checks: 18 made, 2 warnings"},
	})
	return scene("gate-plain", s)
}

// SevereGate stops the snapshot at the point of no return.
func SevereGate(s *runbook.Snapshot) {
	facts := []string{
		fmt.Sprintf("%d channels on etcdraft, in maintenance, with a leader on every orderer", len(s.Channels)),
		"Raft metadata: 5d1f0c9a, the same everywhere",
		"Backup: /var/backups/raftmig/20260314T221405Z, manifest 77ab31e0",
	}
	for _, ch := range s.Channels {
		facts = append(facts, fmt.Sprintf("%s: height %d, leader %d", ch.Name, ch.Nodes[0].Height, ch.Nodes[0].Leader))
	}
	wait(s, runbook.Gate{
		Title: "The point of no return", Severe: true, Typed: s.Plan.Network, Facts: facts,
		Text: "Type the network's name to leave maintenance mode on Raft. After the first update there is no way back to Kafka: clients write to " +
			"Raft from then on. You may wait here as long as the window allows; aborting now restores Kafka.",
	})
}

func severeGate() Scene {
	s := At(Small, runbook.StepExitConfirm)
	SevereGate(s)
	return scene("gate-severe", s)
}

func failedStep() Scene {
	s := At(Small, runbook.StepSwitchVerify)
	s.Channels[2].Nodes[1].Error = "context deadline exceeded after 30s"
	fail(s, &runbook.Problem{
		What: "the switch is not proven on every orderer", Where: "trade-finance on orderer1", Why: "context deadline exceeded after 30s",
		Hint: "Make orderer1 reachable and retry. Do not restart it now: it would start as a Raft node alone.", Ref: "Switch to Raft in maintenance mode",
	})
	return scene("failed", s)
}

func rollbackRunning() Scene {
	s := build(Small, runbook.StepRollbackRestore, true)
	sc := scene("rollback", s)
	sc.Progress = &runbook.Progress{Effect: s.Active[0].ID, Done: 23_400_000, Total: 61_200_000, Unit: "bytes", Text: "orderer1: chains/settlement/blockfile_000000"}
	return sc
}

// Migrated is the end of a run that succeeded.
func Migrated() Scene {
	s := At(Small, runbook.StepVerifyFinal)
	st := &s.Steps[s.Current]
	st.Status, st.EndedAt = runbook.StatusDone, st.StartedAt.Add(3*time.Second)
	st.Evidence = []runbook.Evidence{{Summary: "3 channels on 3 orderers: etcdraft, normal, one leader, same height and hash", Seconds: 2.8, Channels: s.Channels}}
	s.Outcome, s.EndedAt, s.Current, s.Active = runbook.OutcomeMigrated, st.EndedAt, -1, nil
	s.AbortNote = "No way back: the run has ended."
	sc := scene("migrated", s)
	sc.Now = s.EndedAt
	return sc
}

func rolledBack() Scene {
	s := build(Small, runbook.StepRollbackVerify, true)
	st := &s.Steps[s.Current]
	st.Status, st.EndedAt = runbook.StatusDone, st.StartedAt.Add(3*time.Second)
	s.Outcome, s.EndedAt, s.Current, s.Active = runbook.OutcomeRolledBack, st.EndedAt, -1, nil
	for i := range s.Channels {
		for n := range s.Channels[i].Nodes {
			s.Channels[i].Nodes[n].State = "STATE_NORMAL"
		}
	}
	sc := scene("rolled-back", s)
	sc.Now = s.EndedAt
	return sc
}

func lost() Scene {
	sc := maintenance("lost", Small)
	sc.Lost = true
	return sc
}

// Log is what the orderers log around a restart as Raft nodes.
func Log() []runbook.LogLine {
	line := func(sec int, node, level, logger, text string) runbook.LogLine {
		at := Begin.Add(time.Duration(sec) * time.Second)
		return runbook.LogLine{Node: node, At: at, Level: level,
			Text: fmt.Sprintf("%s 00%x %s [%s] run -> %s", at.Format("2006-01-02 15:04:05.000 UTC"), 0x40+sec, level, logger, text)}
	}
	leader := func(sec int, node string, id uint64, channel string) runbook.LogLine {
		l := line(sec, node, "INFO", "orderer.consensus.etcdraft", fmt.Sprintf("Raft leader changed: 0 -> 1 channel=%s node=%d", channel, id))
		l.Channel, l.Leader = channel, &runbook.LeaderChange{Channel: channel, To: 1, RaftID: id}
		return l
	}
	refused := line(9, "orderer1", "WARN", "orderer.common.broadcast",
		"[channel: settlement] Rejecting broadcast of normal message from 10.0.4.17:52144 with SERVICE_UNAVAILABLE: rejected by Order: maintenance mode")
	refused.Expected = true
	return []runbook.LogLine{
		line(2, "orderer0", "INFO", "orderer.common.server", "Starting orderer: Version: 2.5.16"),
		line(3, "orderer1", "INFO", "orderer.common.server", "Beginning to serve requests"),
		line(4, "orderer2", "WARN", "orderer.common.server", "Certificate of the cluster listener ends within 60 days"),
		refused,
		line(11, "orderer0", "INFO", "orderer.commmon.multichannel", "Writing block [104] (Raft index: 12) to ledger channel=settlement node=1"),
		leader(12, "orderer0", 1, "byfn-sys-channel"),
		leader(12, "orderer1", 2, "settlement"),
		line(13, "orderer2", "ERROR", "orderer.consensus.etcdraft", "Failed to send StepRequest to 1, because: connection refused channel=settlement node=3"),
		leader(14, "orderer2", 3, "trade-finance"),
		line(15, "orderer0", "INFO", "orderer.consensus.etcdraft", "Start accepting requests as Raft leader at block [6] channel=byfn-sys-channel node=1"),
	}
}

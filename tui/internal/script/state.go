package script

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"raftmig/runbook"
)

// Begin is when every scripted run starts.
var Begin = time.Date(2026, 3, 14, 22, 14, 5, 0, time.UTC)

// Shape is the network of a scripted run.
type Shape struct {
	Network  string
	Channels int // beside the system channel
	Orderers int
}

// Small has two channels, Large twenty-five.
var (
	Small = Shape{Network: "rehearsal-net", Channels: 2, Orderers: 3}
	Large = Shape{Network: "rehearsal-net", Channels: 25, Orderers: 5}
)

const backupNote = "Going back stops everything, restores the backup, removes the Raft folders, starts Kafka and the orderers and leaves " +
	"maintenance mode on Kafka. No transaction is lost: none was accepted since."

// undoText is the cost of going back from a step.
func undoText(id runbook.StepID) string {
	i := slices.IndexFunc(forward, func(d stepDef) bool { return d.id == id })
	at := func(id runbook.StepID) int {
		return slices.IndexFunc(forward, func(d stepDef) bool { return d.id == id })
	}
	switch {
	case i < 0:
		return "The way back is not interrupted."
	case i < at(runbook.StepEnterMaintenance):
		return "Nothing has been changed. Going back only ends the run."
	case i < at(runbook.StepBackupStopOrderers):
		return "Going back takes one update per channel that entered maintenance mode. Nothing is stopped."
	case i < at(runbook.StepSwitchType):
		return "Going back starts what was stopped and leaves maintenance mode on Kafka. Nothing is restored."
	case i <= at(runbook.StepExitConfirm):
		return backupNote
	default:
		return "None: clients may have transactions on Raft that Kafka does not have."
	}
}

// At is the snapshot while the step runs, its forerunners done.
func At(sh Shape, id runbook.StepID) *runbook.Snapshot {
	return build(sh, id, false)
}

// build makes the snapshot of a run that stands at a step; back adds the
// rollback, entered from the step switch.verify.
func build(sh Shape, id runbook.StepID, back bool) *runbook.Snapshot {
	s := &runbook.Snapshot{
		Plan: runbook.Plan{Run: "20260314T221405Z", Network: sh.Network, Orderers: tierNodes(runbook.TierOrderers)[:min(3, sh.Orderers)],
			Brokers: tierNodes(runbook.TierBrokers)},
		StartedAt: Begin, Current: -1,
	}
	defs := slices.Clone(forward)
	if back {
		defs = append(defs, backward...)
	}
	now, reached := Begin, false
	left := slices.IndexFunc(forward, func(d stepDef) bool { return d.id == runbook.StepSwitchVerify })
	for i, d := range defs {
		phase, _, _ := strings.Cut(string(d.id), ".")
		st := runbook.StepView{ID: d.id, Phase: runbook.Phase(phase), Status: runbook.StatusPending, Explain: explain(d)}
		switch {
		case d.id == id:
			reached = true
			st.Status, st.StartedAt = runbook.StatusRunning, now
			s.Current, s.Phase = i, st.Phase
			if d.kind != "" {
				s.Active = []runbook.Effect{{ID: runbook.EffectID(string(d.id) + "#1"), Step: d.id, Kind: d.kind, Tier: d.tier,
					Channel: "settlement", Change: runbook.ChangeEnterMaintenance}}
			}
		case back && i > left && i < len(forward):
			st.Status, st.Note = runbook.StatusSkipped, "not reached: the run was rolled back"
		case back && i == left:
			st.Status, st.Note = runbook.StatusSkipped, "left for the way back: asked for at the terminal"
		case !reached:
			st.Status, st.StartedAt = runbook.StatusDone, now
			now = now.Add(d.estimate)
			st.EndedAt = now
			st.Evidence = []runbook.Evidence{{Summary: d.summary, Seconds: d.estimate.Seconds()}}
			if d.summary == "" {
				st.Evidence, st.Note = nil, "confirmed by eva@bastion"
			}
		}
		s.Steps = append(s.Steps, st)
	}
	s.AbortOffered = !back
	if s.Current >= 0 {
		s.AbortNote = s.Steps[s.Current].Explain.Undo
	}
	if back {
		s.AbortNote = "No way back: the run is on its way back already."
	} else if strings.HasPrefix(string(id), "exit.normal") || strings.HasPrefix(string(id), "exit.verify") || strings.HasPrefix(string(id), "verify.") {
		s.AbortOffered = false
		s.AbortNote = "No way back: an update that leaves maintenance mode on Raft was submitted: from then on clients may have transactions on " +
			"Raft that Kafka does not have (guide, Abort and rollback)."
	}
	s.Channels = matrix(sh, id, back)
	s.ObservedAt = now
	s.Findings = findings()
	return s
}

func tierNodes(t runbook.Tier) []string {
	if t == runbook.TierBrokers {
		return []string{"kafka0", "kafka1", "kafka2", "kafka3"}
	}
	return []string{"orderer0", "orderer1", "orderer2"}
}

func channelNames(n int) []string {
	names := []string{"byfn-sys-channel", "settlement", "trade-finance"}
	for i := 3; i <= n; i++ {
		names = append(names, fmt.Sprintf("consortium-%02d", i))
	}
	return names[:n+1]
}

// matrix is what the orderers show while the step runs.
func matrix(sh Shape, id runbook.StepID, back bool) []runbook.ChannelState {
	at := slices.IndexFunc(forward, func(d stepDef) bool { return d.id == id })
	past := func(step runbook.StepID) bool {
		return at > slices.IndexFunc(forward, func(d stepDef) bool { return d.id == step })
	}
	typ, state, seq := "kafka", "STATE_NORMAL", uint64(3)
	var leader bool
	switch {
	case back:
		state, seq = "STATE_MAINTENANCE", 4
	default:
		if past(runbook.StepEnterMaintenance) {
			state, seq = "STATE_MAINTENANCE", 4
		}
		if past(runbook.StepSwitchType) {
			typ, seq = "etcdraft", 5
		}
		leader = past(runbook.StepRestartLeaders)
		if past(runbook.StepExitNormal) {
			state, seq = "STATE_NORMAL", 6
		}
	}
	if !past(runbook.StepReach) && !back {
		return nil
	}
	var out []runbook.ChannelState
	for i, name := range channelNames(sh.Channels) {
		ch := runbook.ChannelState{Name: name, System: i == 0}
		height := uint64(12 + 97*i + int(seq))
		if i == 0 {
			height = 4 + seq
		}
		for n := range sh.Orderers {
			ns := runbook.NodeState{Node: fmt.Sprintf("orderer%d", n), Type: typ, State: state, Height: height,
				LastBlockHash: digest(name, height), ConfigSequence: seq}
			if typ == "etcdraft" {
				ns.MetadataHash = digest("metadata", 0)
			}
			if leader {
				ns.Leader = uint64(1 + i%min(3, sh.Orderers))
			}
			ch.Nodes = append(ch.Nodes, ns)
		}
		out = append(out, ch)
	}
	return out
}

func digest(name string, n uint64) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s %d", name, n)))
	return hex.EncodeToString(sum[:])
}

func findings() []runbook.Finding {
	out := []runbook.Finding{
		{Check: "certificates.expiry", Severity: runbook.SeverityWarn, Summary: "a certificate ends within 60 days",
			Evidence: []string{"orderer2: server certificate of the cluster address ends 2026-05-02 (49 days)"},
			Hint:     "It does not stop the migration. Plan its renewal: with Raft a new certificate is a configuration update."},
		{Check: "consenters.count", Severity: runbook.SeverityWarn, Summary: "3 consenters bear the loss of one",
			Evidence: []string{"orderer0, orderer1, orderer2"}, Hint: "Five bear the loss of two. Orderers can be added after the migration."},
	}
	for _, c := range []string{
		"reach.orderers", "reach.brokers", "versions.equal", "versions.minimum", "capabilities.orderer", "capabilities.channel",
		"channels.complete", "channels.kafka", "channels.normal", "tls.enabled", "tls.served", "tls.trusted", "admin.identity", "admin.policy",
		"raft.leftovers", "backup.space",
	} {
		out = append(out, runbook.Finding{Check: c, Severity: runbook.SeverityOK, Summary: "holds on every node and channel"})
	}
	return out
}

package fabricops

import (
	"context"
	"errors"
	"strings"

	"raftmig/fabricops/backup"
	"raftmig/fabricops/dial"
	"raftmig/runbook"
)

// Sections of Fabric's documents that problems refer to.
const (
	guideAssumptions = "Migrating from Kafka to Raft: Assumptions and considerations"
	guidePrepare     = "Migrating from Kafka to Raft: Preparing to migrate"
	guideBackup      = "Migrating from Kafka to Raft: Backup files and shut down servers"
	guideRestart     = "Migrating from Kafka to Raft: Restart and validate leader"
)

// remedy is what is known about a text in an error.
type remedy struct {
	text string
	hint string
	ref  string
}

// remedies are looked through in order; the first text that occurs counts.
var remedies = []remedy{
	{"but capability is disabled", "Raise the orderer capability of this channel to V1_4_2 or later first.", guidePrepare},
	{"attempted to change consensus type from kafka to etcdraft", "Raise the channel capability (/Channel) to V1_4_2 or later first; the orderer capability alone does not do.", guidePrepare},
	{"'Admins' sub-policies", "The update needs the signatures of more administrators: see the policy /Channel/Orderer/Admins of this channel, and list them under admins in raftmig.yaml.", guideAssumptions},
	{"identity expired", "Renew the admin's certificate, or allow expired identities for the window (General.Authentication.NoExpirationChecks).", guideAssumptions},
	{"permission denied", "Use an administrator of an orderer organization: in maintenance nobody else may read or write.", guideAssumptions},
	{"FORBIDDEN", "Use an administrator of an orderer organization: in maintenance nobody else may read or write.", guideAssumptions},
	{"apart from current server time", "Set the clocks of this machine and of the node right.", guideAssumptions},
	{"signed by unknown authority", "The consenter's TLS CA must be in the channel configuration of its organization, and tlsRootCAs must name the CA of the node.", guideRestart},
	{"legacy Common Name", "The node's TLS certificate names no host (SAN). Renew it, or set serverName.", guideRestart},
	{"certificate is valid for", "Set serverName in raftmig.yaml to a name in the certificate, or renew the certificate.", guideRestart},
	{"certificate has expired", "Renew the TLS certificate, or start the node with a TLSHandshakeTimeShift.", guideRestart},
	{"no Raft leader", "The channel has no leader yet. Look for the nodes' certificates and cluster addresses.", guideRestart},
	{"is not serviced by me", "The node holds the channel but is none of its consenters: its TLS certificate is in no entry, or the channel was not migrated.", guideRestart},
	{"backing Kafka cluster has not completed booting", "Wait until the brokers serve, and retry.", guideBackup},
	{"cannot enqueue", "The brokers do not take messages. See that enough of them run.", guideBackup},
	{"connection refused", "See that the process runs and listens on this address.", guideAssumptions},
	{"no answer in time", "See that the node can be reached from here and is not overloaded.", guideAssumptions},
}

// problem turns an error into what the operator reads.
func (o *Operator) problem(e runbook.Effect, err error) *runbook.Problem {
	var p *runbook.Problem
	if errors.As(err, &p) {
		return p
	}
	p = &runbook.Problem{What: failed(e), Where: where(e, err), Why: oneLine(err)}
	switch {
	case errors.Is(err, backup.ErrNoSpace):
		p.Hint, p.Ref = "Free space there, or set backup.dir in raftmig.yaml to a larger file system.", guideBackup
	case errors.Is(err, backup.ErrDamaged):
		p.Hint, p.Ref = "Do not go on with this backup. If the original data is untouched, take a new one.", guideBackup
	case errors.Is(err, context.DeadlineExceeded) && (e.Kind == runbook.StopNodes || e.Kind == runbook.StartNodes):
		p.Hint = "Look at the process and its log; raise stopTimeout or startTimeout in raftmig.yaml if it only needs longer."
	}
	for _, r := range remedies {
		if p.Hint == "" && strings.Contains(p.Why, r.text) {
			p.Hint, p.Ref = r.hint, r.ref
		}
	}
	if p.Hint == "" {
		p.Hint = "Nothing is lost: remove the cause and retry."
	}
	return p
}

func failed(e runbook.Effect) string {
	switch e.Kind {
	case runbook.GatherFacts:
		return "the network could not be observed"
	case runbook.ListChannels:
		return "the channels could not be listed"
	case runbook.ReadChannels, runbook.AwaitChannels:
		return "the channels could not be read"
	case runbook.CollectSignatures:
		return "the updates " + string(e.Change) + " could not be exported for signing"
	case runbook.SubmitUpdate:
		return "the update " + string(e.Change) + " did not come into force"
	case runbook.StopNodes:
		return "not all " + string(e.Tier) + " could be stopped"
	case runbook.StartNodes:
		return "not all " + string(e.Tier) + " could be started"
	case runbook.ReadProcesses:
		return "the state of the processes could not be told"
	case runbook.TakeBackup:
		return "the backup could not be taken"
	case runbook.ReadLedgers:
		return "the ledgers could not be read"
	case runbook.ProveFlush:
		return "Kafka could not be compared with the ledgers"
	case runbook.VerifyBackup:
		return "the backup is not proven"
	case runbook.RestoreBackup:
		return "the backup could not be restored"
	case runbook.RemoveRaftState:
		return "the Raft state could not be removed"
	case runbook.SendTransactions:
		return "not every channel ordered a transaction"
	default:
		return string(e.Kind) + " failed"
	}
}

// where names the channel, or else the node of the error.
func where(e runbook.Effect, err error) string {
	if e.Channel != "" {
		return e.Channel
	}
	var d *dial.Error
	if errors.As(err, &d) {
		return d.Node
	}
	return ""
}

// oneLine joins the lines of joined errors.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}

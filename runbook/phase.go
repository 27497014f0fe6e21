package runbook

// Phase is a stretch of the migration as the operator speaks of it. Phases
// run in the order of Phases; Rollback is entered from any of them up to and
// including PhaseRestart.
type Phase string

// The phases of a migration.
const (
	PhasePrepare     Phase = "prepare"     // checks; changes nothing
	PhaseMaintenance Phase = "maintenance" // every channel into STATE_MAINTENANCE
	PhaseBackup      Phase = "backup"      // ordered stop, backup, restart on Kafka
	PhaseSwitch      Phase = "switch"      // ConsensusType kafka -> etcdraft
	PhaseRestart     Phase = "restart"     // stop all, start orderers only, leaders
	PhaseExit        Phase = "exit"        // every channel back to STATE_NORMAL: no way back
	PhaseVerify      Phase = "verify"      // a transaction on every channel
	PhaseRollback    Phase = "rollback"    // back to Kafka
)

// The phases of an operation on Raft, after PhasePrepare.
const (
	PhaseUpdate Phase = "update" // the new configuration on every channel
	PhaseNode   Phase = "node"   // the one node that it is about
	// PhaseEndpoint makes a consenter that was added known to clients.
	PhaseEndpoint Phase = "endpoint"
)

// Phases lists the phases of a migration that succeeds.
var Phases = []Phase{
	PhasePrepare, PhaseMaintenance, PhaseBackup, PhaseSwitch, PhaseRestart, PhaseExit, PhaseVerify,
}

// StepID names a step: its phase, a dot, what it does ("switch.verify").
type StepID string

// The steps, in the order in which they run.
const (
	StepReach       StepID = "prepare.reach"
	StepChannels    StepID = "prepare.channels"
	StepPreflight   StepID = "prepare.preflight"
	StepConsenters  StepID = "prepare.consenters"
	StepConfirmPlan StepID = "prepare.confirm"

	StepEnterMaintenance  StepID = "maintenance.enter"
	StepRelistChannels    StepID = "maintenance.relist"
	StepVerifyMaintenance StepID = "maintenance.verify"

	StepBackupStopOrderers  StepID = "backup.stop-orderers"
	StepBackupProveFlush    StepID = "backup.prove-flush"
	StepBackupStopBrokers   StepID = "backup.stop-brokers"
	StepBackupCopy          StepID = "backup.copy"
	StepBackupVerify        StepID = "backup.verify"
	StepBackupStartBrokers  StepID = "backup.start-brokers"
	StepBackupStartOrderers StepID = "backup.start-orderers"
	StepBackupRecheck       StepID = "backup.recheck"

	StepSwitchType   StepID = "switch.type"
	StepSwitchVerify StepID = "switch.verify"
	StepSwitchGate   StepID = "switch.gate"

	StepRestartStopOrderers  StepID = "restart.stop-orderers"
	StepRestartStopBrokers   StepID = "restart.stop-brokers"
	StepRestartStartOrderers StepID = "restart.start-orderers"
	StepRestartLeaders       StepID = "restart.leaders"

	StepExitConfirm StepID = "exit.confirm"
	StepExitNormal  StepID = "exit.normal"
	StepExitVerify  StepID = "exit.verify"

	StepVerifyTransactions StepID = "verify.transactions"
	StepVerifyFinal        StepID = "verify.final"

	StepRollbackStopOrderers  StepID = "rollback.stop-orderers"
	StepRollbackStopBrokers   StepID = "rollback.stop-brokers"
	StepRollbackRestore       StepID = "rollback.restore"
	StepRollbackStartBrokers  StepID = "rollback.start-brokers"
	StepRollbackStartOrderers StepID = "rollback.start-orderers"
	StepRollbackNormal        StepID = "rollback.normal"
	StepRollbackVerify        StepID = "rollback.verify"
)

// The steps of operations on Raft. They begin with StepChannels,
// StepConsenters, StepPreflight and StepConfirmPlan.
const (
	StepUpdateSubmit StepID = "update.submit"
	StepUpdateVerify StepID = "update.verify"

	StepNodeHandOver StepID = "node.hand-over"
	StepNodeStop     StepID = "node.stop"
	StepNodeInstall  StepID = "node.install"
	StepNodeByHand   StepID = "node.by-hand"
	StepNodeStart    StepID = "node.start"
	StepNodeJoin     StepID = "node.join"
	StepNodeFollow   StepID = "node.follow"

	StepEndpointSubmit StepID = "endpoint.submit"
	StepEndpointVerify StepID = "endpoint.verify"
)

// Status is the state of a step.
type Status string

// The states of a step.
const (
	StatusPending Status = "pending"
	StatusRunning Status = "running"
	StatusWaiting Status = "waiting" // for the operator, at a gate
	StatusDone    Status = "done"
	StatusFailed  Status = "failed"
	StatusSkipped Status = "skipped" // with the reason in the step's Note
)

// Outcome is how a run ended; empty while it has not.
type Outcome string

// The ends of a run.
const (
	OutcomeMigrated   Outcome = "migrated"
	OutcomeRolledBack Outcome = "rolled-back"
	OutcomeFailed     Outcome = "failed"
	OutcomeDone       Outcome = "done" // of an operation on Raft
)

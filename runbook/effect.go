package runbook

import "time"

// EffectID names an effect within a run: the step, "#", a running number.
// The same run replayed gives the same IDs.
type EffectID string

// EffectKind says what an effect does.
type EffectKind string

// Effects that only look.
//
// AwaitChannels polls Expect.Judge until it finds nothing. It returns the last
// observation as evidence also when the time is over: that is no error, the
// runbook judges the evidence itself. A node that cannot be read is no error
// either: its NodeState says why.
const (
	GatherFacts      EffectKind = "gather-facts"      // → Evidence.Facts
	ListChannels     EffectKind = "list-channels"     // → Evidence.ChannelList
	ReadChannels     EffectKind = "read-channels"     // → Evidence.Channels, once
	AwaitChannels    EffectKind = "await-channels"    // → Evidence.Channels, when Expect holds or Timeout is over; see below
	BuildMetadata    EffectKind = "build-metadata"    // → Evidence.Metadata
	VerifyBackup     EffectKind = "verify-backup"     // → Evidence.Backup
	ReadLedgers      EffectKind = "read-ledgers"      // → Evidence.Channels, from the files of orderers that are down
	ProveFlush       EffectKind = "prove-flush"       // → Evidence.Flush, when JudgeFlush finds nothing or Timeout is over
	ReadProcesses    EffectKind = "read-processes"    // Tier, or "" for all; → Evidence.Processes
	SendTransactions EffectKind = "send-transactions" // one per channel; → Evidence.Transactions
	// Channels, Change, Metadata: the updates are exported for others to sign,
	// and what has come back is looked at, once → Evidence.Signatures
	CollectSignatures EffectKind = "collect-signatures"
)

// Effects that change the network.
const (
	SubmitUpdate EffectKind = "submit-update" // Channel, Change, Metadata
	StopNodes    EffectKind = "stop-nodes"    // Tier; returns when they are proven down
	StartNodes   EffectKind = "start-nodes"   // Tier; returns when they are ready
	// Of operations on Raft, for the one node in Nodes.
	HandOverBlock       EffectKind = "hand-over-block"      // Channel: its newest config block is put where the node begins with it
	JoinChannel         EffectKind = "join-channel"         // Channel: the node joins it with its newest config block; without system channel
	InstallCertificates EffectKind = "install-certificates" // Operation.Files, Metadata: the node's new files are put in place
	TakeBackup          EffectKind = "take-backup"          // → Evidence.Backup
	RestoreBackup       EffectKind = "restore-backup"       // from the backup of this run
	RemoveRaftState     EffectKind = "remove-raft-state"    // WAL and snapshot folders of all channels
)

// Mutating reports whether effects of this kind change the network.
func (k EffectKind) Mutating() bool {
	switch k {
	case SubmitUpdate, StopNodes, StartNodes, TakeBackup, RestoreBackup, RemoveRaftState, HandOverBlock, JoinChannel, InstallCertificates:
		return true
	default:
		return false
	}
}

// Tier is a group of processes that stop and start together.
type Tier string

// The tiers of a Kafka ordering service, in stop order.
const (
	TierOrderers  Tier = "orderers"
	TierBrokers   Tier = "brokers"
	TierZooKeeper Tier = "zookeeper"
)

// Change is one of the configuration updates of the guide.
type Change string

// The three updates. Each changes one thing (invariant R3).
const (
	ChangeEnterMaintenance Change = "enter-maintenance" // State NORMAL -> MAINTENANCE
	ChangeSwitchType       Change = "switch-type"       // Type kafka -> etcdraft, Metadata set
	ChangeExitMaintenance  Change = "exit-maintenance"  // State MAINTENANCE -> NORMAL
)

// The updates of operations on Raft. Each but ChangeAddEndpoint sets the whole Raft
// metadata of a channel; removing a consenter also removes its endpoint.
const (
	ChangeAddConsenter       Change = "add-consenter"
	ChangeAddEndpoint        Change = "add-endpoint" // of a consenter that was added, once it follows
	ChangeRemoveConsenter    Change = "remove-consenter"
	ChangeRotateCertificates Change = "rotate-certificates"
	ChangeSetOptions         Change = "set-options"
)

// OnRaft reports whether the change is one of an operation on Raft.
func (c Change) OnRaft() bool {
	switch c {
	case ChangeAddConsenter, ChangeAddEndpoint, ChangeRemoveConsenter, ChangeRotateCertificates, ChangeSetOptions:
		return true
	default:
		return false
	}
}

// Effect is something that the runbook wants done: data, no behaviour.
type Effect struct {
	ID      EffectID   `json:"id"`
	Step    StepID     `json:"step"`
	Kind    EffectKind `json:"kind"`
	Channel string     `json:"channel,omitempty"` // SubmitUpdate
	// Channels limits reading effects to these; empty means all that are known.
	Channels []string `json:"channels,omitempty"`
	// Nodes limits reading, stopping, starting and sending to these orderers;
	// empty means all of the plan.
	Nodes    []string `json:"nodes,omitempty"`
	Change   Change   `json:"change,omitempty"`   // SubmitUpdate, CollectSignatures
	Metadata []byte   `json:"metadata,omitempty"` // etcdraft.ConfigMetadata, marshalled
	// Endpoint is the host:port that a SubmitUpdate adds or removes.
	Endpoint string `json:"endpoint,omitempty"`
	// Operation says what a run on Raft is about, where an effect must know.
	Operation *Operation    `json:"operation,omitempty"`
	Tier      Tier          `json:"tier,omitempty"`
	Expect    *Expectation  `json:"expect,omitempty"`
	Timeout   time.Duration `json:"timeout,omitempty"` // 0 means the operator's default
}

// Expectation is a condition on what every node says of every channel.
type Expectation struct {
	Type  string `json:"type,omitempty"`  // consensus type, "" for any
	State string `json:"state,omitempty"` // STATE_NORMAL or STATE_MAINTENANCE, "" for any
	// MetadataHash is the hex SHA-256 of the consensus metadata, "" for any.
	MetadataHash string `json:"metadata_hash,omitempty"`
	// MinHeights are the heights, by channel, that every node must have reached.
	MinHeights map[string]uint64 `json:"min_heights,omitempty"`
	// MaxHeights are the heights, by channel, that no node may have passed.
	MaxHeights map[string]uint64 `json:"max_heights,omitempty"`
	// NoMetadata demands empty consensus metadata, as the guide has it for Kafka.
	NoMetadata bool `json:"no_metadata,omitempty"`
	// Agreement demands the same height, last block hash and config sequence on every node.
	Agreement bool `json:"agreement,omitempty"`
	// TypeChangeLast demands that the last block is the type-changing config
	// block with empty consenter metadata (invariant R6).
	TypeChangeLast bool `json:"type_change_last,omitempty"`
	// Leader demands one leader, the same on every node.
	Leader bool `json:"leader,omitempty"`
	// Endpoint must be among the channel's orderer endpoints, NoEndpoint must not; "" for any.
	Endpoint   string `json:"endpoint,omitempty"`
	NoEndpoint string `json:"no_endpoint,omitempty"`
}

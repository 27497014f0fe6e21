package script

import (
	"time"

	"raftmig/runbook"
)

const sec = time.Second

type stepDef struct {
	id       runbook.StepID
	estimate time.Duration
	title    string
	what     string
	why      string
	proof    string
	summary  string
	tier     runbook.Tier
	kind     runbook.EffectKind
}

const fetch = "Read from the last config block of every channel on every orderer."

var forward = []stepDef{
	{runbook.StepReach, 3 * sec, "Reach every node", "Connect to every orderer and broker and read versions, certificates and clocks.",
		"A node that cannot be reached now cannot be migrated later.", "Each node answers on its cluster address.", "3 orderers (2.5.16), 4 brokers reached", "", runbook.GatherFacts},
	{runbook.StepChannels, 2 * sec, "List every channel", "Put together the channel list from the system channel, the ledgers and the Kafka topics.",
		"A channel that is forgotten stays inactive after the restart, without an error.", "All sources name the same channels.", "the three sources agree", "", runbook.ListChannels},
	{runbook.StepPreflight, 5 * sec, "Check everything before the window", "Judge capabilities, versions, certificates, policies, clocks and disk space.",
		"What is wrong is cheap to mend now and costs the window later.", "Every check has a result; none is an error.", "18 checks: 0 FAIL, 2 WARN, 16 OK", "", runbook.GatherFacts},
	{runbook.StepConsenters, sec, "Build the Raft metadata", "Build the consenter set from the orderers' certificates and addresses.",
		"Every channel must get the same bytes: other consenters on one channel can leave it without quorum.", "The metadata decodes to what was put in.", "3 consenters, metadata 5d1f0c9a", "", runbook.BuildMetadata},
	{runbook.StepConfirmPlan, 60 * sec, "Confirm the plan", "Nothing is done. You read the plan and begin the window.",
		"From the next step on, clients are refused.", "Your confirmation is kept in the journal.", "", "", ""},

	{runbook.StepEnterMaintenance, 8 * sec, "Enter maintenance mode", "Set ConsensusType.State to STATE_MAINTENANCE, on the system channel first, then on the others. Nothing else is changed.",
		"In maintenance the orderers refuse clients, so no peer gets a block and the backup stays valid.", fetch, "every channel updated", "", runbook.SubmitUpdate},
	{runbook.StepRelistChannels, 2 * sec, "List the channels again", "List the channels again, now that the system channel takes no more of them.",
		"A channel created in between must be migrated too.", "The list is the one of before.", "no new channel", "", runbook.ListChannels},
	{runbook.StepVerifyMaintenance, 3 * sec, "Prove maintenance mode everywhere", "Read every channel from every orderer. Nothing is changed.",
		"The backup is valid only if every channel is frozen on every node.", "Type kafka, state maintenance, no metadata; same height, last block and config sequence.", "all orderers show it", "", runbook.AwaitChannels},

	{runbook.StepBackupStopOrderers, 4 * sec, "Stop the orderers", "Stop all orderers and prove that they are down.",
		"Orderers go first: their ledgers must not get ahead of the Kafka log.", "No process and no open port is left.", "3 orderers down", runbook.TierOrderers, runbook.StopNodes},
	{runbook.StepBackupProveFlush, 2 * sec, "Prove that Kafka is flushed", "Read where every topic ends, and what stands behind the last block of every ledger. Nothing is changed.",
		"A ledger ahead of Kafka crashes its orderer; a record in no ledger would be lost.", "Every topic stands still, all replicas are in sync, nothing is in Kafka alone.", "every channel flushed", "", runbook.ProveFlush},
	{runbook.StepBackupStopBrokers, 6 * sec, "Stop Kafka, then ZooKeeper", "Stop the brokers, wait until their logs are flushed, then ZooKeeper.",
		"A broker that is killed may lose the end of its log.", "No process and no open port is left.", "4 brokers down", runbook.TierBrokers, runbook.StopNodes},
	{runbook.StepBackupCopy, 12 * sec, "Back up all nodes", "Copy ledgers and Kafka data with a manifest of every file.",
		"It is the only way back once the type is switched.", "Every file is read back and compared with the manifest.", "copied, 214 files, 61.2 MB", "", runbook.TakeBackup},
	{runbook.StepBackupVerify, 4 * sec, "Read the backup back", "Read the ledgers inside the copy.",
		"A backup that was never read is a hope.", "The heights in the copy are those of the live ledgers.", "verified, manifest 77ab31e0", "", runbook.VerifyBackup},
	{runbook.StepBackupStartBrokers, 8 * sec, "Start ZooKeeper, then Kafka", "Start the brokers and wait until they answer.",
		"The switch is ordered through Kafka.", "Every broker answers.", "4 brokers up", runbook.TierBrokers, runbook.StartNodes},
	{runbook.StepBackupStartOrderers, 8 * sec, "Start the orderers", "Start all orderers and wait until they serve.",
		"The switch is ordered through Kafka.", "Every orderer serves every channel.", "3 orderers up", runbook.TierOrderers, runbook.StartNodes},
	{runbook.StepBackupRecheck, 3 * sec, "Prove that nothing was lost", "Read every channel from every orderer.",
		"The restart must have lost nothing.", "Heights and hashes are those of before.", "nothing lost", "", runbook.AwaitChannels},

	{runbook.StepSwitchType, 8 * sec, "Switch the type to etcdraft", "Set ConsensusType.Type to etcdraft and Metadata to 5d1f0c9a, on the system channel first, then on the others. State stays STATE_MAINTENANCE.",
		"The orderers still run on Kafka; at the next start they read the new type.", fetch, "every channel updated", "", runbook.SubmitUpdate},
	{runbook.StepSwitchVerify, 3 * sec, "Prove the switch everywhere", "Read every channel from every orderer. Nothing is changed.",
		"A channel with other metadata finds no quorum after the restart.", "Type etcdraft, metadata 5d1f0c9a; same height, last block and config sequence.", "all orderers show it", "", runbook.AwaitChannels},
	{runbook.StepSwitchGate, 2 * sec, "Prove that the type change comes last", "Read the last block of every channel from every orderer once more.",
		"If any configuration transaction follows the type change, the orderers most likely crash at the next start.", "The last block is the type change, its consenter metadata is empty.", "it is the last block everywhere", "", runbook.ReadChannels},

	{runbook.StepRestartStopOrderers, 4 * sec, "Stop all orderers", "Stop all orderers at once and prove that they are down.",
		"Orderers restarted one by one would run half on Kafka.", "No process is left.", "3 orderers down", runbook.TierOrderers, runbook.StopNodes},
	{runbook.StepRestartStopBrokers, 6 * sec, "Stop Kafka and ZooKeeper", "Stop the brokers. They are not started again.",
		"No orderer may find Kafka when it starts.", "No process is left.", "4 brokers down", runbook.TierBrokers, runbook.StopNodes},
	{runbook.StepRestartStartOrderers, 8 * sec, "Start the orderers as Raft nodes", "Start all orderers and wait until they serve.",
		"They read the new type from their ledgers.", "Every orderer serves every channel.", "3 orderers up", runbook.TierOrderers, runbook.StartNodes},
	{runbook.StepRestartLeaders, 10 * sec, "Prove a leader on every channel", "Wait until all orderers report the same leader on every channel.",
		"A process that is up is not yet a channel that works.", "One leader per channel, the same on every orderer.", "every channel has a leader", "", runbook.AwaitChannels},

	{runbook.StepExitConfirm, 60 * sec, "Confirm: no way back after this", "Nothing is done. You read the evidence and type the network's name.",
		"Once clients write to Raft, the backup would lose their transactions.", "Your confirmation is kept in the journal.", "", "", ""},
	{runbook.StepExitNormal, 8 * sec, "Leave maintenance mode", "Set ConsensusType.State to STATE_NORMAL, on the system channel first.",
		"Clients are served again.", fetch, "every channel updated", "", runbook.SubmitUpdate},
	{runbook.StepExitVerify, 3 * sec, "Prove normal operation everywhere", "Read every channel from every orderer.",
		"A channel left in maintenance refuses its clients.", "State normal on every orderer.", "all orderers show it", "", runbook.AwaitChannels},

	{runbook.StepVerifyTransactions, 5 * sec, "Send a transaction on every channel", "Send one signed transaction on every channel and find it in a block on every orderer.",
		"Only an ordered transaction proves that ordering works.", "The transaction is in the same block on every orderer.", "found on every orderer", "", runbook.SendTransactions},
	{runbook.StepVerifyFinal, 3 * sec, "Take the final picture", "Read every channel from every orderer.",
		"It is the last page of the report.", "Type etcdraft, state normal, one leader, same height and hash.", "all orderers agree", "", runbook.ReadChannels},
}

var backward = []stepDef{
	{runbook.StepRollbackStopOrderers, 4 * sec, "Stop the orderers", "Stop all orderers.", "Nothing may write while the backup is restored.", "No process is left.", "3 orderers down", runbook.TierOrderers, runbook.StopNodes},
	{runbook.StepRollbackStopBrokers, 6 * sec, "Stop Kafka and ZooKeeper", "Stop the brokers.", "Kafka's data is restored too.", "No process is left.", "4 brokers down", runbook.TierBrokers, runbook.StopNodes},
	{runbook.StepRollbackRestore, 15 * sec, "Restore the backup", "Put back every file of the backup and remove the Raft folders.", "Old Raft state would break the next try.", "Every file is compared with the manifest.", "214 files restored", "", runbook.RestoreBackup},
	{runbook.StepRollbackStartBrokers, 8 * sec, "Start ZooKeeper, then Kafka", "Start the brokers.", "The orderers need Kafka again.", "Every broker answers.", "4 brokers up", runbook.TierBrokers, runbook.StartNodes},
	{runbook.StepRollbackStartOrderers, 8 * sec, "Start the orderers", "Start all orderers.", "They run on Kafka again.", "Every orderer serves every channel.", "3 orderers up", runbook.TierOrderers, runbook.StartNodes},
	{runbook.StepRollbackNormal, 8 * sec, "Leave maintenance mode on Kafka", "Set State to STATE_NORMAL, on the system channel first.", "Clients are served again.", fetch, "every channel updated", "", runbook.SubmitUpdate},
	{runbook.StepRollbackVerify, 3 * sec, "Prove that Kafka is back", "Read every channel from every orderer.", "It is the last page of the report.", "Type kafka, state normal, heights not below those of before.", "all orderers agree", "", runbook.ReadChannels},
}

var handCommands = []string{
	`V=.channel_group.groups.Orderer.values.ConsensusType.value`,
	"for CH in byfn-sys-channel settlement \\\n    trade-finance; do",
	`  peer channel fetch config $CH.block -c $CH -o $ORDERER --tls --cafile $CA`,
	`  configtxlator proto_decode --type common.Block --input $CH.block |`,
	`    jq .data.data[0].payload.data.config > $CH.json`,
	`  jq "$V.state=\"STATE_MAINTENANCE\"" $CH.json > $CH.new.json`,
	`  # encode both, compute_update, wrap in an envelope`,
	`  peer channel update -f $CH.tx -c $CH -o $ORDERER --tls --cafile $CA`,
	`done`,
}

func explain(d stepDef) runbook.Explain {
	e := runbook.Explain{Title: d.title, What: d.what, Why: d.why, Verify: d.proof, Estimate: d.estimate, Undo: undoText(d.id),
		Guide: "Migrating from Kafka to Raft"}
	switch d.kind {
	case runbook.SubmitUpdate:
		e.Commands = handCommands
	case runbook.StopNodes, runbook.StartNodes:
		verb := map[runbook.EffectKind]string{runbook.StopNodes: "stop", runbook.StartNodes: "start"}[d.kind]
		for _, n := range tierNodes(d.tier) {
			e.Commands = append(e.Commands, "ssh "+n+" systemctl "+verb+" "+n+".service")
		}
	}
	return e
}

package runbook

import "time"

var stepBackupProveFlush = step{
	id:   StepBackupProveFlush,
	do:   []wave{flushWave},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove that Kafka is flushed",
			What: "Read from Kafka, for every channel, where its topic ends, which replicas are in sync and what stands " +
				"behind the last block of every orderer's ledger. Nothing is changed.",
			Why: "What only one side holds makes a backup that does not start again: a ledger ahead of Kafka " +
				"crashes its orderer, a record in no ledger would be lost.",
			Verify: "The end of every topic stands still; every record in it is in every ledger or will never be; " +
				"no ledger is ahead; all replicas are in sync.",
			Estimate: 2*time.Second + time.Duration(len(k.channels))*20*time.Millisecond,
			Guide:    guideBackup,
			Commands: []string{
				"kafka-get-offsets.sh --bootstrap-server $BROKER --topic $CH",
				"kafka-topics.sh --bootstrap-server $BROKER --describe --topic $CH",
			},
		}
	},
}

// flushWave reads the topics until they prove what JudgeFlush demands. A
// network without brokers has nothing to flush.
var flushWave = wave{
	effects: func(k *knowledge) []Effect {
		if len(k.nodes(TierBrokers)) == 0 {
			return nil
		}
		return []Effect{{Kind: ProveFlush, Channels: allChannels(k), Timeout: patience(k)}}
	},
	judge: func(k *knowledge, e Effect, ev Evidence) *Problem {
		if p := JudgeFlush(e.Channels, k.nodes(TierOrderers), ev.Flush); p != nil {
			return p
		}
		return JudgeBrokers(ev.Processes)
	},
}

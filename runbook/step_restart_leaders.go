package runbook

import "time"

var stepRestartLeaders = step{
	id:   StepRestartLeaders,
	do:   []wave{leadersWave},
	undo: undoWayBack,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove a leader on every channel",
			What: "Wait until every orderer names the same leader on each of " +
				count(len(k.channels), "channel") + ". Nothing is changed.",
			Why: "A process that is up proves nothing: an orderer whose certificate " +
				"is in no consenter entry starts, and serves the channel to nobody.",
			Verify: "\"Raft leader changed: 0 -> n\" per channel and orderer, the same n; " +
				"no channel is shorter; all orderers agree.",
			Estimate: 10*time.Second + time.Duration(len(k.channels))*100*time.Millisecond,
			Guide:    guideRestart,
			Commands: []string{
				"grep 'Raft leader changed' $LOG   # on every orderer",
			},
		}
	},
}

// leadersWave waits for one leader per channel, the same on every node. Once an
// exit was intended, channels may have left maintenance mode.
var leadersWave = awaitWave(allChannels, func(k *knowledge) Expectation {
	x := expectProven(k, ChangeSwitchType, k.channels)
	x.Leader = true
	if k.exiting {
		x.State, x.Agreement = "", false
	}
	return x
}, "Check on the node named, in this order: is its TLS certificate the one in the consenter set; does its CA "+
	"stand in the channel's orderer organisations; do the certificates name the host; can the orderers reach each "+
	"other's cluster address; is General.Cluster.ClientCertificate set.")

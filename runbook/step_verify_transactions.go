package runbook

import (
	"slices"
	"time"
)

var stepVerifyTransactions = step{
	id: StepVerifyTransactions,
	do: []wave{{
		effects: func(k *knowledge) []Effect {
			return []Effect{{Kind: SendTransactions, Channels: allChannels(k), Timeout: patience(k)}}
		},
		judge: func(k *knowledge, _ Effect, ev Evidence) *Problem {
			// The system channel carries configuration; a proof there is welcome, not demanded.
			for _, c := range k.others() {
				if !slices.ContainsFunc(ev.Transactions, func(t TransactionProof) bool { return t.Channel == c }) {
					return &Problem{
						What: "no transaction was proven", Where: c,
						Hint: "Check that clients in raftmig.yaml names an identity that may write to the channel, then retry.",
					}
				}
			}
			return nil
		},
	}},
	undo: undoClosed,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Send a transaction on every channel",
			What: "Order one small transaction on each of " + count(len(k.others()), "channel") +
				" and find it in a block on every orderer.",
			Why: "It is what the network is for. A channel that orders a transaction " +
				"works; anything less is a conclusion.",
			Verify:   "The transaction's ID is found in the same block on every orderer.",
			Estimate: 3*time.Second + time.Duration(len(k.channels))*100*time.Millisecond,
			Guide:    guideExit,
			Commands: []string{command(
				loop("CH", k.others()),
				"  peer chaincode invoke -C $CH -n $CC -c '{\"Args\":[\"...\"]}' \\",
				"    -o $ORDERER --tls --cafile $CA --waitForEvent",
				"done",
			)},
		}
	},
}

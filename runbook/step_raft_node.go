package runbook

import (
	"slices"
	"time"
)

// What operations on Raft do to the one node that they are about.

var stepNodeHandOver = step{
	id: StepNodeHandOver,
	skip: func(k *knowledge) string {
		if k.system == "" && !k.plan.Operation.ByHand {
			return "there is no system channel: the node joins each channel once it runs"
		}
		return ""
	},
	do: []wave{{
		effects: func(k *knowledge) []Effect {
			channels := systemChannel(k)
			if k.system == "" { // people have it join each channel
				channels = allChannels(k)
			}
			var out []Effect
			for _, c := range channels {
				out = append(out, Effect{Kind: HandOverBlock, Channel: c, Nodes: theNode(k), Operation: operated(k)})
			}
			return out
		},
		judge: accepted,
	}},
	verify: performAgain,
	undo:   undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Hand the newest config block over",
			What: "Fetch the newest config block of " + list(systemChannel(k)) + " and put it where " + k.plan.Operation.Node +
				" begins with it (General.BootstrapFile).",
			Why:      "From this block the node knows who the other orderers are, and up to where it has to copy.",
			Verify:   "The block that was put there names the node among its consenters.",
			Estimate: time.Second,
			Guide:    guideReconfiguration,
			Commands: []string{command(
				"peer channel fetch config latest.block -c "+list(systemChannel(k))+" \\",
				"  -o $ORDERER --tls --cafile $CA",
			), "scp latest.block " + k.plan.Operation.Node + ":$BOOTSTRAPFILE"},
		}
	},
}

var stepNodeStop = step{
	id: StepNodeStop,
	skip: func(k *knowledge) string {
		o := k.plan.Operation
		switch {
		case o.Kind != RemoveConsenter:
			return ""
		case !slices.Contains(k.plan.Orderers, o.Node):
			return "it is not in raftmig.yaml: stop it by hand"
		case !k.reached[o.Node]:
			return "it could not be reached before either"
		default:
			return ""
		}
	},
	do: []wave{{
		effects: func(k *knowledge) []Effect {
			return []Effect{{Kind: StopNodes, Tier: TierOrderers, Nodes: theNode(k)}}
		},
		judge: judgeDown,
	}},
	verify: verifyStopped,
	undo:   undoOperation,
	explain: func(k *knowledge) Explain {
		x := Explain{
			Title:    "Stop " + k.plan.Operation.Node,
			What:     "Stop " + k.plan.Operation.Node + " in an orderly way, and no other node.",
			Why:      "The others have the new certificates and refuse the old ones from now on. So it has to be started with the new ones soon.",
			Verify:   "The process is proven down.",
			Estimate: 5 * time.Second,
			Guide:    guideOf(k),
			Commands: commandsControl("stop", theNode(k)),
		}
		if k.plan.Operation.Kind == RemoveConsenter {
			x.Why = "It is in no consenter set any more, and serves nobody."
		}
		return x
	},
}

var stepNodeInstall = step{
	id: StepNodeInstall,
	skip: func(k *knowledge) string {
		if k.plan.Operation.ByHand {
			return "raftmig.yaml does not say where the node's keys are: people put them there"
		}
		return ""
	},
	do: []wave{{
		effects: func(k *knowledge) []Effect {
			return []Effect{{
				Kind: InstallCertificates, Nodes: theNode(k), Operation: operated(k), Metadata: slices.Clone(k.metadata.Bytes),
			}}
		},
		judge: accepted,
	}},
	verify: performAgain,
	undo:   undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Install the new certificates",
			What: "Put the new certificates and keys in the place of the old ones on " + k.plan.Operation.Node +
				". The old files stay beside them, with .old at the end.",
			Why:      "A node has one TLS certificate for all of its channels, and all of its channels know the new one by now.",
			Verify:   "The files are read back: the certificates are those of the consenter set, and the keys fit.",
			Estimate: time.Second,
			Guide:    guideRotation,
			Commands: commandsInstall(*k.plan.Operation),
		}
	},
}

var stepNodeByHand = step{
	id: StepNodeByHand,
	skip: func(k *knowledge) string {
		if !k.plan.Operation.ByHand {
			return "raftmig has put everything in place"
		}
		return ""
	},
	gate: func(k *knowledge) Gate {
		o := k.plan.Operation
		g := Gate{Title: "Is " + o.Node + " ready to be started?"}
		if o.Kind == AddConsenter && k.system == "" {
			g.Text = "Start " + o.Node + " with General.BootstrapMethod none, and have it join every channel with the block that was written in " +
				"the step before: osnadmin channel join. Then go on."
			g.Facts = []string{"Channels: " + list(k.channels)}
			return g
		}
		if o.Kind == AddConsenter {
			g.Text = "Put the block that was written in the step before onto " + o.Node + ", as the file that its General.BootstrapFile " +
				"(1.4: General.GenesisFile) names. Then go on."
			return g
		}
		g.Text = "Put the new certificates and keys into " + o.Node + "'s files. Then go on."
		g.Facts = []string{
			"General.TLS.Certificate: " + o.Files.ServerCert, "General.TLS.PrivateKey: " + o.Files.ServerKey,
			"General.Cluster.ClientCertificate: " + o.Files.ClientCert, "General.Cluster.ClientPrivateKey: " + o.Files.ClientKey,
		}
		return g
	},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title:    "Put the node's files in place",
			What:     "You put the files onto " + k.plan.Operation.Node + " and say so.",
			Why:      "raftmig.yaml does not say where they belong, so raftmig cannot do it.",
			Verify:   "Your confirmation is kept in the journal; the next steps show whether the node works with them.",
			Estimate: time.Minute,
			Guide:    guideOf(k),
		}
	},
}

var stepNodeStart = step{
	id: StepNodeStart,
	do: []wave{nodeRead, nodeDown, {
		effects: func(k *knowledge) []Effect {
			e := Effect{Kind: StartNodes, Tier: TierOrderers, Nodes: theNode(k)}
			if k.plan.Operation.Kind == AddConsenter {
				e.Timeout = copyPatience
			}
			return []Effect{e}
		},
		judge: accepted,
	}},
	verify: performAgain,
	undo:   undoOperation,
	explain: func(k *knowledge) Explain {
		x := Explain{
			Title:    "Start " + k.plan.Operation.Node,
			What:     "Start " + k.plan.Operation.Node + ", and no other node.",
			Why:      "It finds itself in the consenter set of every channel, copies what it lacks and joins.",
			Verify:   "It accepts connections. That it follows is proven next.",
			Estimate: 10 * time.Second,
			Guide:    guideOf(k),
			Commands: commandsControl("start", theNode(k)),
		}
		if k.plan.Operation.Kind == AddConsenter {
			x.What = "Start " + k.plan.Operation.Node + ", anew if it runs already, and no other node."
			x.Verify = "It has copied every channel and accepts connections, however long that takes. That it follows is proven next."
		}
		return x
	},
}

// stepNodeJoin is for networks without a system channel (spec 9).
var stepNodeJoin = step{
	id: StepNodeJoin,
	skip: func(k *knowledge) string {
		switch {
		case k.system != "":
			return "the node finds its channels by the system channel"
		case k.plan.Operation.ByHand:
			return "people had it join its channels"
		default:
			return ""
		}
	},
	do: []wave{{
		effects: func(k *knowledge) []Effect {
			var out []Effect
			for _, c := range k.channels {
				out = append(out, Effect{Kind: JoinChannel, Channel: c, Nodes: theNode(k), Operation: operated(k)})
			}
			return out
		},
		judge: accepted,
	}},
	verify: performAgain,
	undo:   undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Join every channel",
			What: "Have " + k.plan.Operation.Node + " join " + count(len(k.channels), "channel") +
				" with their newest config blocks, by the channel participation API.",
			Why:      "Without a system channel a node knows only the channels that it was told to join.",
			Verify:   "The node takes each block, or has the channel already.",
			Estimate: time.Second + time.Duration(len(k.channels))*100*time.Millisecond,
			Guide:    guideReconfiguration,
			Commands: []string{command(
				loop("CH", k.channels),
				"  peer channel fetch config $CH.block -c $CH -o $ORDERER --tls --cafile $CA",
				"  osnadmin channel join --channelID $CH --config-block $CH.block \\",
				"    -o $ADMIN_ENDPOINT --ca-file $CA --client-cert $CERT --client-key $KEY",
				"done",
			)},
		}
	},
}

// A new consenter that runs already would find out about its channels only by
// looking for them, every few minutes; started anew it knows at once.
var (
	nodeRead = wave{
		effects: func(k *knowledge) []Effect {
			if k.plan.Operation.Kind != AddConsenter || k.system == "" {
				return nil
			}
			return []Effect{{Kind: ReadProcesses, Tier: TierOrderers, Nodes: theNode(k)}}
		},
		judge: accepted,
	}
	nodeDown = wave{
		effects: func(k *knowledge) []Effect {
			if len(nodeRead.effects(k)) == 0 || !k.running[k.plan.Operation.Node] {
				return nil
			}
			return []Effect{{Kind: StopNodes, Tier: TierOrderers, Nodes: theNode(k)}}
		},
		judge: judgeDown,
	}
)

// copyPatience is how long a new node may copy ledgers before it serves.
const copyPatience = 24 * time.Hour

var stepNodeFollow = step{
	id: StepNodeFollow,
	do: []wave{
		{
			effects: func(k *knowledge) []Effect {
				return []Effect{{Kind: ReadChannels, Channels: allChannels(k), Nodes: k.witnesses()}}
			},
			judge: func(k *knowledge, e Effect, ev Evidence) *Problem { return judgeChannels(k, e, ev, hintRaftBehind) },
		},
		awaitRaft((*knowledge).members, allChannels, func(k *knowledge) Expectation {
			// Whatever any orderer had a moment ago, all must have now.
			x := expectOnRaft(k, k.plan.Operation.Change())
			x.MinHeights, x.Leader = k.minHeights(k.channels), true
			for _, c := range k.matrix() {
				x.MinHeights[c.Name] = max(x.MinHeights[c.Name], highest(c))
			}
			return x
		}, "Read the log of the node that was started: does it find itself in the consenter set, and can it reach the others?"),
	},
	undo: undoOperation,
	explain: func(k *knowledge) Explain {
		return Explain{
			Title: "Prove that it follows",
			What: "Read every channel from every consenter, " + k.plan.Operation.Node + " among them, until it has what the others have. " +
				"Nothing is changed.",
			Why: "A process that is up proves nothing: a node that is in no consenter set starts, and serves nobody.",
			Verify: "The same configuration and leader on every consenter of every channel; no consenter behind, no two with different " +
				"blocks at the same height.",
			Estimate: 10*time.Second + time.Duration(len(k.channels))*100*time.Millisecond,
			Guide:    guideOf(k),
			Commands: commandsFetch(k, k.channels),
		}
	},
}

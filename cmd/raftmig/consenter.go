package main

import (
	"github.com/spf13/cobra"

	"raftmig/fabricops/consenters"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

func newConsenterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "consenter",
		Short: "Add, remove or renew a consenter of a network on Raft",
		Long: `Operations on the consenters of a network that is on Raft: each is a run of its
own, with checks, a journal, proofs on every node and evidence, as a migration is.
It can be left, resumed after a crash (--resume), and looked at beforehand
(--dry-run). One consenter at a time, on all channels, the system channel first.

There is no way back within a run once an update was submitted; what it did is
undone by a run of its own.`,
		Example: `  raftmig consenter add orderer4 --dry-run      # look first; changes nothing
  raftmig consenter add orderer4
  raftmig consenter rotate-tls orderer2 --server-cert new.crt --server-key new.key
  raftmig consenter remove orderer4`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newConsenterAddCommand(), newConsenterRemoveCommand(), newConsenterRotateCommand())
	return cmd
}

// completeNode offers the orderers of raftmig.yaml.
func (f *operateFlags) completeNode(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if n, err := inventory.Read(f.run.file); err == nil && len(args) == 0 {
		for _, o := range n.Orderers {
			names = append(names, o.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func newConsenterAddCommand() *cobra.Command {
	var f operateFlags
	var endpoint string
	cmd := &cobra.Command{
		Use:   "add NODE",
		Short: "Add an orderer of raftmig.yaml to the consenters of every channel",
		Long: `Add makes NODE, an orderer described in raftmig.yaml, a consenter of every
channel, in one update per channel. Then it hands the newest config block of the
system channel over to the node (bootstrapFile in raftmig.yaml; else you are asked to
put it there), starts it, and proves that it follows: no node behind, same blocks,
same leader. Last, its address joins the channels' orderer endpoints, those of its
organisation where there are such, by a second update per channel where it is missing.

All other consenters must run: a set of which a node is down must not grow.`,
		Example: `  raftmig consenter add orderer4 --dry-run
  raftmig consenter add orderer4
  raftmig consenter add orderer4 --headless --yes --json > result.json
  raftmig consenter add orderer4 --resume     # after a crash`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.operate(cmd, func(n *inventory.Network) (*runbook.Operation, error) {
				return consenters.Operation(n, runbook.AddConsenter, args[0], endpoint)
			})
		},
	}
	f.addNode(cmd)
	addEndpoint(cmd, &endpoint)
	return cmd
}

func newConsenterRemoveCommand() *cobra.Command {
	var f operateFlags
	var endpoint string
	cmd := &cobra.Command{
		Use:   "remove NODE",
		Short: "Remove a consenter from every channel",
		Long: `Remove takes NODE out of the consenters and the orderer endpoints of every
channel, in one update per channel, and proves that the others have a leader and
the new set. Then it stops the node, if it could be reached. NODE is an orderer of
raftmig.yaml, or the host:port that a consenter has in the set. A node that is down
for good can be removed as long as the others have a quorum without it.`,
		Example: `  raftmig consenter remove orderer4 --dry-run
  raftmig consenter remove orderer4
  raftmig consenter remove old.example.com:7050 --headless --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.operate(cmd, func(n *inventory.Network) (*runbook.Operation, error) {
				return consenters.Operation(n, runbook.RemoveConsenter, args[0], endpoint)
			})
		},
	}
	f.addNode(cmd)
	addEndpoint(cmd, &endpoint)
	return cmd
}

func newConsenterRotateCommand() *cobra.Command {
	var f operateFlags
	var serverCert, serverKey, clientCert, clientKey string
	cmd := &cobra.Command{
		Use:   "rotate-tls NODE",
		Short: "Give a consenter new TLS certificates",
		Long: `Rotate-tls replaces the TLS certificates of NODE in the consenter set of every
channel, proves that on all other consenters, and then stops the node, puts the new
files in the place of the old ones (serverCert, serverKey, clientCert, clientKey in
raftmig.yaml; else you are asked to), starts it and proves that it follows.

One node at a time: a run of the next one begins with checks that refuse it while
this one does not follow. Have the certificates issued by a TLS CA that the
channels' orderer organisations have.`,
		Example: `  raftmig consenter rotate-tls orderer2 --server-cert new.crt --server-key new.key
  raftmig consenter rotate-tls orderer2 --server-cert s.crt --server-key s.key \
    --client-cert c.crt --client-key c.key --headless --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.operate(cmd, func(n *inventory.Network) (*runbook.Operation, error) {
				o, err := consenters.Operation(n, runbook.RotateCertificates, args[0], "")
				if err != nil {
					return nil, err
				}
				o.Files, err = consenters.Files(serverCert, serverKey, clientCert, clientKey)
				return o, err
			})
		},
	}
	f.addNode(cmd)
	fl := cmd.Flags()
	fl.StringVar(&serverCert, "server-cert", "", "the new server certificate, PEM")
	fl.StringVar(&serverKey, "server-key", "", "its key, PEM")
	fl.StringVar(&clientCert, "client-cert", "", "the new client certificate, PEM (default: the server certificate)")
	fl.StringVar(&clientKey, "client-key", "", "its key, PEM")
	return cmd
}

func newOptionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "options",
		Short: "Set the Raft options of a network on Raft",
		Example: `  raftmig options set --snapshot-interval-size 33554432 --dry-run
  raftmig options set --snapshot-interval-size 33554432`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newOptionsSetCommand())
	return cmd
}

func newOptionsSetCommand() *cobra.Command {
	var f operateFlags
	var options runbook.RaftOptions
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Set Raft options on every channel",
		Long: `Set changes the Raft options that are given on every channel, in one update per
channel, and proves it on every consenter. The others stay as they are. The engine's
own rules are applied first.

Only the snapshot interval takes effect at once. The others do when an orderer is
started the next time; restart them one after another. Ticks that are too short keep
a channel from electing a leader, and without a leader they cannot be set back.`,
		Example: `  raftmig options set --snapshot-interval-size 33554432 --dry-run
  raftmig options set --election-tick 20 --heartbeat-tick 2
  raftmig options set --tick-interval 500ms --headless --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.operate(cmd, func(*inventory.Network) (*runbook.Operation, error) {
				return &runbook.Operation{Kind: runbook.SetOptions, Options: &options}, consenters.CheckOptions(options)
			})
		},
	}
	f.add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&options.TickInterval, "tick-interval", "", "time between two ticks, as 500ms")
	fl.Uint32Var(&options.ElectionTick, "election-tick", 0, "ticks without a leader until an election; more than heartbeat ticks")
	fl.Uint32Var(&options.HeartbeatTick, "heartbeat-tick", 0, "ticks between heartbeats")
	fl.Uint32Var(&options.MaxInflightBlocks, "max-inflight-blocks", 0, "blocks under way to a follower at a time")
	fl.Uint32Var(&options.SnapshotIntervalSize, "snapshot-interval-size", 0, "bytes of blocks between two snapshots")
	return cmd
}

// addNode adds the flags of an operation on one node, whose name is completed.
func (f *operateFlags) addNode(cmd *cobra.Command) {
	f.add(cmd)
	cmd.ValidArgsFunction = f.completeNode
}

func addEndpoint(cmd *cobra.Command, endpoint *string) {
	cmd.Flags().StringVar(endpoint, "endpoint", "", "host:port for clients (default: its cluster host with the port of its address)")
}

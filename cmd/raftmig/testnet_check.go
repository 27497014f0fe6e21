package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"raftmig/testnet"
	"raftmig/testnet/validate"
)

var errLedgers = errors.New("the ledgers are not as they should be")

func newTestnetValidateCommand() *cobra.Command {
	var f testnetFlags
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Look for every transaction that was sent in the ledgers of all nodes",
		Long: `Read the block files of all nodes with a reader that shares no code with the
orderer, and report: transactions that were acknowledged and are missing, or are
there twice; nodes that differ; chains that are broken. Exit code 1 if there is any.
While nodes run it waits, up to --timeout, for those that are a block behind.`,
		Example: "  raftmig testnet validate --dir net --json",
		Args:    cobra.NoArgs,
		RunE: f.acting(func(ctx context.Context, cmd *cobra.Command, n *testnet.Network, _ []string) error {
			r, err := n.AwaitAgreement(ctx)
			if err != nil {
				return err
			}
			if f.json {
				err = writeJSON(cmd.OutOrStdout(), r)
			} else {
				printReport(cmd, r)
			}
			if err == nil && !r.OK() {
				err = errLedgers
			}
			return err
		}),
	}
	f.add(cmd)
	f.addTimeout(cmd, 10*time.Second)
	return cmd
}

func printReport(cmd *cobra.Command, r *validate.Report) {
	out := cmd.OutOrStdout()
	for _, c := range r.Channels {
		fmt.Fprintf(out, "%s: %d acknowledged, %d committed, %d missing, %d duplicated\n", c.Channel, c.Acknowledged, c.Committed, c.Missing, c.Duplicated)
		for _, p := range c.Problems {
			fmt.Fprintf(out, "  %s\n", p)
		}
		for _, id := range c.MissingIDs {
			fmt.Fprintf(out, "  missing: %s\n", id)
		}
	}
}

func newTestnetFaultCommand() *cobra.Command {
	var f testnetFlags
	cmd := &cobra.Command{
		Use:   "fault kill|stop|start|restart|pause|resume NODE",
		Short: "Do harm to one node, or undo it",
		Long: `Do harm to one node, or undo it. NODE is the name of an orderer, or "broker".

  kill     end the process at once (SIGKILL)
  stop     ask it to end (SIGTERM)
  start    start it and wait until it serves
  restart  stop, then start
  pause    freeze it (SIGSTOP)
  resume   let it go on (SIGCONT)`,
		Example: `  raftmig testnet fault kill orderer1 --dir net
  raftmig testnet fault start orderer1 --dir net`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: f.completeFault,
		RunE: f.acting(func(ctx context.Context, cmd *cobra.Command, n *testnet.Network, args []string) error {
			if err := n.Inject(ctx, testnet.Fault(args[0]), args[1]); err != nil {
				return err
			}
			return f.printStatus(ctx, cmd, n)
		}),
	}
	f.add(cmd)
	f.addTimeout(cmd, 2*time.Minute)
	return cmd
}

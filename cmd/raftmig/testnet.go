package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"raftmig/testnet"
	"raftmig/testnet/load"
	"raftmig/tui/present"
)

func newTestnetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "testnet",
		Short: "Make and run rehearsal networks on this machine",
		Long: `Make and run rehearsal networks on this machine: orderers and an embedded Kafka
as processes of their own, which outlive this command. Everything is in one
folder. Several networks can run side by side.`,
		Example: `  raftmig testnet init --dir net --orderers 3 --channels 2
  raftmig testnet clone --config raftmig.yaml --dir twin
  raftmig testnet up --dir net
  raftmig testnet load --dir net --transactions 500
  raftmig testnet status --dir net
  raftmig testnet down --dir net`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newTestnetInitCommand(), newTestnetCloneCommand(), newTestnetUpCommand(), newTestnetDownCommand(), newTestnetStatusCommand(),
		newTestnetLoadCommand(), newTestnetValidateCommand(), newTestnetFaultCommand())
	return cmd
}

// testnetFlags are the flags that all subcommands have.
type testnetFlags struct {
	dir     string
	json    bool
	timeout time.Duration
}

func (f *testnetFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "dir", "rehearsal", "folder of the network")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as JSON")
}

func (f *testnetFlags) addTimeout(cmd *cobra.Command, fallback time.Duration) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", fallback, "give up after this time")
}

func (f *testnetFlags) open() (*testnet.Network, error) {
	n, err := testnet.Open(f.dir)
	return n, withCode(exitUsage, err)
}

// context ends with the timeout and at SIGINT and SIGTERM.
func (f *testnetFlags) context(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	return ctx, func() { cancel(); stop() }
}

// acting is what a command does that opens the network and acts on it until
// the timeout.
func (f *testnetFlags) acting(act func(context.Context, *cobra.Command, *testnet.Network, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		n, err := f.open()
		if err != nil {
			return err
		}
		ctx, cancel := f.context(cmd)
		defer cancel()
		return act(ctx, cmd, n, args)
	}
}

// progress prints to standard error, so that standard output is the result.
func progress(cmd *cobra.Command) func(string) {
	return func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
}

func newTestnetInitCommand() *cobra.Command {
	var f testnetFlags
	var shape specFlags
	var consensus consensusFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a network: keys, configuration, genesis block, nodes; start nothing",
		Example: `  raftmig testnet init --dir net
  raftmig testnet init --dir net --orderers 5 --channels 20 --batch-timeout 1s
  raftmig testnet init --dir net --crypto-config crypto-config.yaml --configtx configtx.yaml --channel-names mychannel
  raftmig testnet init --dir net --consensus etcdraft --no-system-channel
  raftmig testnet init --dir net --orderer-bin /opt/fabric/bin/orderer`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := shape.resolve(cmd)
			if err != nil {
				return err
			}
			consensus.apply(cmd, &s)
			n, err := testnet.Init(f.dir, s)
			if err != nil {
				return withCode(exitUsage, err)
			}
			for _, note := range n.Manifest.Notes {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
			}
			if f.json {
				return writeJSON(cmd.OutOrStdout(), n.Manifest)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\nStart it: raftmig testnet up --dir %s\n", made(n), f.dir)
			return err
		},
	}
	f.add(cmd)
	shape.add(cmd)
	consensus.add(cmd)
	return cmd
}

func newTestnetUpCommand() *cobra.Command {
	var f testnetFlags
	cmd := &cobra.Command{
		Use:     "up",
		Short:   "Start what does not run, create or join the channels that are missing",
		Example: "  raftmig testnet up --dir net",
		Args:    cobra.NoArgs,
		RunE: f.acting(func(ctx context.Context, cmd *cobra.Command, n *testnet.Network, _ []string) error {
			if err := n.Up(ctx, progress(cmd)); err != nil {
				return err
			}
			if err := n.CreateChannels(ctx, progress(cmd)); err != nil {
				return err
			}
			return f.printStatus(ctx, cmd, n)
		}),
	}
	f.add(cmd)
	f.addTimeout(cmd, 2*time.Minute)
	return cmd
}

func newTestnetDownCommand() *cobra.Command {
	var f testnetFlags
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Stop all nodes; keep the folder. Also cleans up after a crash",
		Example: "  raftmig testnet down --dir net && rm -r net",
		Args:    cobra.NoArgs,
		RunE: f.acting(func(ctx context.Context, cmd *cobra.Command, n *testnet.Network, _ []string) error {
			if err := n.Down(ctx, progress(cmd)); err != nil {
				return err
			}
			return f.printStatus(ctx, cmd, n)
		}),
	}
	f.add(cmd)
	f.addTimeout(cmd, 2*time.Minute)
	return cmd
}

func newTestnetStatusCommand() *cobra.Command {
	var f testnetFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show nodes and channels, as processes and ledgers have them",
		Example: "  raftmig testnet status --dir net --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := f.open()
			if err != nil {
				return err
			}
			return f.printStatus(cmd.Context(), cmd, n)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *testnetFlags) printStatus(ctx context.Context, cmd *cobra.Command, n *testnet.Network) error {
	s, err := n.Status(ctx)
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd.OutOrStdout(), s)
	}
	return writeTestnetStatus(cmd.OutOrStdout(), s)
}

func writeTestnetStatus(out io.Writer, s *testnet.Status) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "NODE\tSTATE\tPID\tSINCE\tADDRESSES\n")
	for _, n := range s.Nodes {
		state, pid, since := "down", "-", "-"
		if n.Running {
			state, pid, since = "up", fmt.Sprint(n.PID), n.StartedAt.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.Name, state, pid, since, strings.Join(n.Addresses, " "))
	}
	fmt.Fprintf(w, "\nCHANNEL\tTYPE\tSTATE\tHEIGHTS\n")
	for _, c := range s.Channels {
		kind, state := c.Type, "normal"
		if kind == "" {
			kind, state = "-", "not created"
		}
		if c.Maintenance {
			state = "maintenance"
		}
		var heights []string
		for _, n := range s.Nodes {
			if h, ok := c.Heights[n.Name]; ok {
				heights = append(heights, fmt.Sprintf("%s=%d", n.Name, h))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, kind, state, strings.Join(heights, " "))
		for _, p := range c.Problems {
			fmt.Fprintf(w, "\t\t\t%s\n", p)
		}
	}
	return w.Flush()
}

func newTestnetLoadCommand() *cobra.Command {
	var f testnetFlags
	t := testnet.Traffic{}
	var resend string
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send signed transactions and record what became of each",
		Long: `Send signed transactions through all orderers and record what became of each in
load/history.jsonl, for 'raftmig testnet validate'. A transaction that is refused
for the moment is sent again to the next orderer. One that gets no answer is not,
unless --resend unknown says so; it may then be in the ledger twice.`,
		Example: `  raftmig testnet load --dir net --transactions 500
  raftmig testnet load --dir net --transactions 10000 --size 1024 --streams 16 --channel-names ch1`,
		Args: cobra.NoArgs,
		RunE: f.acting(func(ctx context.Context, cmd *cobra.Command, n *testnet.Network, _ []string) error {
			t.Resend = load.Resend(resend)
			r, err := n.Load(ctx, t)
			if r == nil {
				return withCode(exitUsage, err)
			}
			if f.json {
				err = firstError(err, writeJSON(cmd.OutOrStdout(), r))
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%d acknowledged, %d refused, %d without an answer in %.1fs (%.0f per second)\n",
					r.Acknowledged, r.Refused, r.Unknown, r.Seconds, float64(r.Acknowledged)/max(r.Seconds, 0.001))
			}
			return err
		}),
	}
	f.add(cmd)
	f.addTimeout(cmd, 10*time.Minute)
	fl := cmd.Flags()
	fl.IntVar(&t.Transactions, "transactions", 100, "transactions in all, spread over the channels")
	fl.IntVar(&t.Size, "size", 200, "bytes of content of each")
	fl.IntVar(&t.Streams, "streams", 8, "streams that send at the same time")
	fl.StringSliceVar(&t.Channels, "channel-names", nil, "channels to send to (default: all)")
	fl.StringVar(&resend, "resend", string(load.ResendRefused), "what is sent again: refused, or also unknown (no answer)")
	return cmd
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// made says what a new network has.
func made(n *testnet.Network) string {
	m := n.Manifest
	return fmt.Sprintf("Made network %s in %s: %s, %s, %s.", m.Name, n.Dir, present.Plural(len(m.Orderers), "orderer"),
		present.Plural(len(m.Channels), "channel"), present.Plural(len(m.Brokers), "broker"))
}

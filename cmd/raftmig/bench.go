package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"raftmig/testnet/bench"
)

// newBenchCommand measures ordering, and compares it with Fabric's where
// FABRIC_BIN_DIR names a folder with its orderer.
func newBenchCommand() *cobra.Command {
	var o bench.Options
	var consensus []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure ordering on this machine, beside Fabric's own orderer if it is there",
		Long: `Starts an ordering service of real processes with TLS, puts signed transactions on
it as fast as it takes them, and measures transactions per second, the time from
sending to the block that holds them, processor time and memory. Signatures are
checked, and everything is written through to the disk.

Where FABRIC_BIN_DIR names a folder with Fabric's orderer, each round is run on
that too, right afterwards, and the result has the ratio.`,
		Example: `  raftmig bench
  FABRIC_BIN_DIR=/opt/fabric/bin raftmig bench --rounds 5 --json
  raftmig bench --consensus kafka --profile-dir profiles`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if o.Dir, err = os.MkdirTemp(o.Dir, "raftmig-bench-"); err != nil {
				return withCode(exitUsage, err)
			}
			defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
			if dir := os.Getenv("FABRIC_BIN_DIR"); dir != "" {
				o.FabricOrderer = filepath.Join(dir, "orderer")
			}
			o.Say = progress(cmd)
			return runBench(ctx, cmd, o, consensus, asJSON)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&consensus, "consensus", []string{bench.Raft}, "what is measured: etcdraft, kafka")
	fl.IntVar(&o.Rounds, "rounds", 1, "rounds of each engine")
	fl.DurationVar(&o.Duration, "duration", 0, "time that is measured in a round (default 10s)")
	fl.IntVar(&o.Orderers, "orderers", 3, "orderer processes")
	fl.IntVar(&o.Streams, "streams", 16, "broadcast streams, spread over the orderers")
	fl.IntVar(&o.Window, "window", 128, "transactions under way on each stream")
	fl.IntVar(&o.Size, "size", 1024, "bytes of content of a transaction")
	fl.StringVar(&o.Dir, "dir", "", "folder for the networks, which are removed afterwards (default: the system's for temporary files)")
	fl.StringVar(&o.ProfileDir, "profile-dir", "", "folder for CPU profiles of the orderers")
	fl.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func runBench(ctx context.Context, cmd *cobra.Command, o bench.Options, consensus []string, asJSON bool) error {
	var results []*bench.Result
	dir := o.Dir
	for _, c := range consensus {
		o.Consensus, o.Dir = c, filepath.Join(dir, c)
		r, err := bench.Run(ctx, o)
		if r == nil {
			return withCode(exitUsage, err)
		}
		if err != nil {
			return fmt.Errorf("measuring %s: %w", c, err)
		}
		results = append(results, r)
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), results)
	}
	for _, r := range results {
		if err := r.Write(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	return nil
}

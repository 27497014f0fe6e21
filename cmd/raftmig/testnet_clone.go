package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"raftmig/fabricops/runner"
	"raftmig/testnet"
	"raftmig/testnet/clone"
	"raftmig/testnet/clone/source"
)

func newTestnetCloneCommand() *cobra.Command {
	var f testnetFlags
	var from []string
	var config string
	var s testnet.Spec
	cmd := &cobra.Command{
		Use:   "clone",
		Short: "Make a network of the shape of a real one, from its config blocks",
		Long: `Clone makes a rehearsal network of the shape of a real one: the same channels,
organizations and MSP IDs, policies, capabilities, batch sizes and timeouts,
consensus type and options, as many orderers with the same host names, as many
brokers. Keys are new and all nodes listen on this machine. With --from no private
key of the real network is needed; none is ever copied.

Config blocks are those of "raftmig channel fetch" or "peer channel fetch
config", one of each channel, the system channel's too. With --config they are
read from the running network through Deliver, which changes nothing there; the
key of the inventory's administrator signs the requests.

What cannot be kept is printed, and listed under "clone" in --json.`,
		Example: `  raftmig testnet clone --from syschannel.block --from ch1.block --dir net
  raftmig testnet clone --config raftmig.yaml --dir net
  raftmig rehearse --dir net`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (len(from) == 0) == (config == "") {
				return withCode(exitUsage, errors.New("give either --from with config blocks or --config with an inventory"))
			}
			ctx, cancel := f.context(cmd)
			defer cancel()
			var r *source.Reading
			var err error
			if config != "" {
				r, err = source.Network(ctx, config)
				from = []string{config}
			} else {
				r, err = source.Files(from)
			}
			if err != nil {
				return withCode(exitUsage, err)
			}
			for _, w := range r.Warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", w)
			}
			shape, err := clone.Read(r.Sources, r.Known)
			if err != nil {
				return withCode(exitUsage, err)
			}
			withoutApache(cmd, &s)
			s.Raft = r.Raft
			n, err := testnet.Clone(f.dir, s, shape, from)
			if err != nil {
				return withCode(exitUsage, err)
			}
			return f.printCloned(cmd, n)
		},
	}
	f.add(cmd)
	f.addTimeout(cmd, 2*time.Minute)
	fl := cmd.Flags()
	fl.StringSliceVar(&from, "from", nil, "file with the config block of a channel; repeat it for each channel")
	fl.StringVar(&config, "config", "", "description of a running network (raftmig.yaml) to read the channels from")
	fl.StringVar(&s.Name, "name", "", "name of the clone (default: that of the folder)")
	addKafkaFlags(cmd, &s)
	addProgramFlags(cmd, &s)
	return cmd
}

func (f *testnetFlags) printCloned(cmd *cobra.Command, n *testnet.Network) error {
	for _, note := range n.Manifest.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
	}
	if f.json {
		return writeJSON(cmd.OutOrStdout(), n.Manifest)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s\nNot as in the original:\n", made(n))
	for _, text := range n.Manifest.Clone.NotKept {
		fmt.Fprintf(out, "  - %s\n", text)
	}
	next := "Rehearse on it: raftmig rehearse"
	if n.Manifest.Spec.Consensus == testnet.ConsensusRaft {
		next = "Start it: raftmig testnet up"
	}
	_, err := fmt.Fprintf(out, "%s --dir %s\n", next, runner.Quote(f.dir))
	return err
}

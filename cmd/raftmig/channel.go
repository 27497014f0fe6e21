package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"raftmig/fabricops/channels"
	"raftmig/fabricops/configfile"
)

// errDiffers ends a diff that found something, as diff(1) does.
var errDiffers = errors.New("the configurations differ")

func newChannelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "channel",
		Short: "Fetch, read, compare and change channel configurations by hand",
		Long: `Channel does single steps that "raftmig run" does in one go, and others. Where
administrators of several organizations must sign an update and their keys are
on different machines, a file travels between them: it is the CONFIG_UPDATE
envelope that Fabric's "peer channel signconfigtx" and "peer channel update"
take, so either tool can be used at every stop.`,
		Example: `  raftmig channel fetch ch1                              # writes ch1.block
  raftmig channel decode ch1.block --config > ch1.json
  $EDITOR ch1.json
  raftmig channel update ch1 --config ch1.json           # writes ch1.tx
  raftmig sign ch1.tx --msp-id Orderer2MSP --msp-dir admin2/msp
  raftmig channel submit ch1.tx`,
	}
	cmd.AddCommand(newFetchCommand(), newDecodeCommand(), newDiffCommand(), newUpdateCommand(), newSubmitCommand())
	return cmd
}

func newFetchCommand() *cobra.Command {
	var f networkFlags
	var node, output string
	var every, asJSON bool
	cmd := &cobra.Command{
		Use:   "fetch CHANNEL",
		Short: "Write the last config block of a channel to a file",
		Long: `Fetch asks all ordering nodes and takes the newest configuration that any of
them has; --node asks one, --every-node keeps the answer of each. The file is
the block as "peer channel fetch config" writes it.`,
		Example: `  raftmig channel fetch ch1                       # ch1.block
  raftmig channel fetch ch1 --every-node --json   # ch1.orderer0.block, …`,
		Args: exactly(1, "the name of a channel"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			inv, err := f.load()
			if err != nil {
				return err
			}
			network, err := channels.Open(inv)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, network.Close()) }()
			var all []channels.Fetched
			switch {
			case every:
				all = network.FromEvery(cmd.Context(), args[0])
			case node != "":
				all = make([]channels.Fetched, 1)
				all[0], err = network.From(cmd.Context(), args[0], node)
			default:
				all = make([]channels.Fetched, 1)
				all[0], err = network.Newest(cmd.Context(), args[0])
			}
			if err != nil {
				return err
			}
			unread := channels.WriteBlocks(all, output, every)
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), all)
			} else {
				err = printFetched(cmd.OutOrStdout(), all)
			}
			return errors.Join(err, unread)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&node, "node", "", "ask this ordering node only")
	cmd.Flags().BoolVar(&every, "every-node", false, "fetch what each ordering node has, each to a file of its own")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write (default: CHANNEL.block)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was fetched as JSON")
	cmd.MarkFlagsMutuallyExclusive("node", "every-node")
	cmd.MarkFlagsMutuallyExclusive("output", "every-node")
	return cmd
}

func printFetched(w io.Writer, all []channels.Fetched) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "CHANNEL\tNODE\tBLOCK\tCONFIG\tTYPE\tSTATE\tHASH\tFILE")
	for _, f := range all {
		if f.Error != "" {
			fmt.Fprintf(t, "%s\t%s\tunreadable: %s\n", f.Channel, f.Node, f.Error)
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\t%.12s\t%s\n", f.Channel, f.Node, f.Block, f.Sequence, f.Type, f.State, f.Hash, f.File)
	}
	return t.Flush()
}

func newDecodeCommand() *cobra.Command {
	var kind string
	var config, asJSON bool
	cmd := &cobra.Command{
		Use:   "decode FILE",
		Short: "Print a block, an envelope, an update or a configuration as JSON",
		Long: `Decode prints what is in the file, decoded to the last value, as configtxlator
does. What kind of file it is, is found out. --config prints only the
configuration inside, to be edited for "raftmig channel update --config".`,
		Example: `  raftmig channel decode ch1.block --config > ch1.json
  raftmig channel decode ch1.tx | jq .payload.data.config_update.write_set`,
		Args: exactly(1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return withCode(exitUsage, err)
			}
			text, err := configfile.Describe(data, configfile.Kind(kind), config)
			if err != nil {
				return withCode(exitUsage, fmt.Errorf("%s: %w", args[0], err))
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&kind, "type", "", "block, envelope, update or config (default: it is found out)")
	cmd.Flags().BoolVar(&config, "config", false, "print only the configuration in it")
	cmd.Flags().BoolVar(&asJSON, "json", true, "print JSON; there is no other form")
	return cmd
}

func newDiffCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Show what differs between two configurations",
		Long: `Diff compares the content of two configurations, value by value; versions are
left out, for they follow from the rest. Each file is a config block, a
configuration, or the JSON of one. Exit code 1 means that they differ.`,
		Example: `  raftmig channel diff ch1.orderer0.block ch1.orderer1.block
  raftmig channel diff ch1.block ch1.json`,
		Args: exactly(2, "two files"),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := channels.DiffFiles(args[0], args[1])
			if err != nil {
				return withCode(exitUsage, err)
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), changes)
			} else {
				err = printChanges(cmd.OutOrStdout(), changes)
			}
			if len(changes) > 0 {
				err = errors.Join(err, errDiffers)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the differences as JSON, in full")
	return cmd
}

// printChanges prints one line for each change, long values cut.
func printChanges(w io.Writer, changes []configfile.Change) error {
	for _, c := range changes {
		sign, text := "~", short(c.Before)+" -> "+short(c.After)
		switch {
		case c.Before == nil:
			sign, text = "+", short(c.After)
		case c.After == nil:
			sign, text = "-", short(c.Before)
		}
		if _, err := fmt.Fprintf(w, "%s %s: %s\n", sign, c.Path, text); err != nil {
			return err
		}
	}
	return nil
}

func short(v any) string {
	const most = 160
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(text)
}

// exactly demands n arguments, called what.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return withCode(exitUsage, fmt.Errorf("expected %s, got %d arguments", what, len(args)))
		}
		return nil
	}
}

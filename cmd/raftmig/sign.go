package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/channels"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// submitTimeout bounds channel submit: sending, and the block.
const submitTimeout = 2 * time.Minute

func newUpdateCommand() *cobra.Command {
	var f networkFlags
	var config, block, output string
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "update CHANNEL [enter-maintenance | switch-type | exit-maintenance]",
		Short: "Make a configuration update, to be signed and submitted",
		Long: `Update computes an update from the channel's configuration and writes it to a
file that nobody has signed yet: one of the three changes of a migration, by
name, or what was edited in the JSON of the configuration (--config). The
consenters of switch-type are those of raftmig.yaml.

The configuration is asked of the network, or taken from a block (--block). An
update is good for that configuration only: once another update has come into
force it has to be made and signed anew.`,
		Example: `  raftmig channel update ch1 enter-maintenance             # writes ch1.tx
  raftmig channel update ch1 --config edited.json
  raftmig channel update ch1 --config edited.json --block ch1.block   # without the network`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return withCode(exitUsage, errors.New("name the channel and at most one change"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o := channels.Making{Channel: args[0], Edited: config, Block: block, File: output, Replace: force}
			if len(args) == 2 {
				o.Change = runbook.Change(args[1])
			}
			if err := o.Check(); err != nil {
				return withCode(exitUsage, err)
			}
			if o.NeedsNetwork() {
				var err error
				if o.Network, err = f.load(); err != nil {
					return err
				}
			}
			u, file, err := o.Make(cmd.Context())
			if err != nil {
				return err
			}
			return printUpdate(cmd.OutOrStdout(), u, file, nil, asJSON)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&config, "config", "", "the edited configuration: JSON of 'channel decode --config', or configtxlator's bytes")
	cmd.Flags().StringVar(&block, "block", "", "config block to start from, in place of asking the network")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write (default: CHANNEL.tx)")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file, with the signatures that it may have")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the update as JSON")
	return cmd
}

// signFlags say who signs: an MSP folder, or the administrators of raftmig.yaml.
type signFlags struct {
	networkFlags
	mspID, mspDir string
}

func (f *signFlags) add(cmd *cobra.Command) {
	f.networkFlags.add(cmd)
	cmd.Flags().StringVar(&f.mspID, "msp-id", "", "MSP ID of the organization to sign for")
	cmd.Flags().StringVar(&f.mspDir, "msp-dir", "", "MSP folder of its administrator, with signcerts and keystore")
	cmd.MarkFlagsRequiredTogether("msp-id", "msp-dir")
}

func (f *signFlags) signers() ([]inventory.Identity, error) {
	if f.mspDir != "" {
		return []inventory.Identity{{MSPID: f.mspID, MSPDir: f.mspDir}}, nil
	}
	network, err := f.load()
	if err != nil {
		return nil, err
	}
	return network.Administrators(), nil
}

func newSignCommand() *cobra.Command {
	var f signFlags
	var output string
	var look, each, asJSON bool
	cmd := &cobra.Command{
		Use:   "sign FILE...",
		Short: "Sign a configuration update, in a file that goes on to the next administrator",
		Long: `Sign shows what an update changes and who has signed it, and adds signatures:
that of --msp-id and --msp-dir, or of all administrators in raftmig.yaml. It
needs no network. Files of the same update that different administrators have
signed are joined into the first one, or into --output; --each signs files of
different updates, each in its place.

The file is Fabric's: "peer channel signconfigtx" signs it too, and "peer
channel update" submits it.`,
		Example: `  raftmig sign ch1.tx --look                       # what is it, who has signed?
  raftmig sign ch1.tx --msp-id Orderer2MSP --msp-dir crypto/admin2/msp
  raftmig sign from-org1.tx from-org2.tx -o ch1.tx  # join, and sign
  raftmig sign --each signatures/*.tx              # what a run waits for`,
		Args: atLeastOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			var ids []inventory.Identity
			if !look {
				var err error
				if ids, err = f.signers(); err != nil {
					return err
				}
			}
			groups := [][]string{args}
			if each {
				groups = nil
				for _, file := range args {
					groups = append(groups, []string{file})
				}
			}
			for _, files := range groups {
				if err := signFiles(cmd.OutOrStdout(), files, cmp.Or(output, files[0]), ids, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write (default: the first file)")
	cmd.Flags().BoolVar(&each, "each", false, "the files hold different updates: sign each of them in its place")
	cmd.MarkFlagsMutuallyExclusive("each", "output")
	cmd.Flags().BoolVar(&look, "look", false, "show the update and its signatures; write nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the update as JSON")
	return cmd
}

// signFiles joins the files of one update, signs it as ids and writes it to
// output; without ids it only shows it.
func signFiles(w io.Writer, files []string, output string, ids []inventory.Identity, asJSON bool) error {
	u, err := channels.ReadUpdates(files...)
	if err != nil {
		return withCode(exitUsage, err)
	}
	if len(ids) == 0 {
		return printUpdate(w, u, files[0], nil, asJSON)
	}
	if _, err := channels.Sign(u, ids); err != nil {
		return withCode(exitUsage, err)
	}
	if err := channels.WriteUpdate(output, u); err != nil {
		return err
	}
	return printUpdate(w, u, output, nil, asJSON)
}

func newSubmitCommand() *cobra.Command {
	var f networkFlags
	var asIs, asJSON bool
	cmd := &cobra.Command{
		Use:   "submit FILE...",
		Short: "Submit a signed configuration update and wait for its block",
		Long: `Submit joins the signatures of all files, adds those of the administrators in
raftmig.yaml that are not among them, sends the update and waits until a block
carries it. An update that is in force already is not sent again.

This is a step by hand: it does not ask whether the network is ready. To leave
maintenance mode on Raft is the point of no return.`,
		Example: `  raftmig channel submit ch1.tx
  raftmig channel submit from-org1.tx from-org2.tx --json`,
		Args: atLeastOneFile,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			inv, err := f.load()
			if err != nil {
				return err
			}
			u, err := channels.ReadUpdates(args...)
			if err != nil {
				return withCode(exitUsage, err)
			}
			if !asIs {
				if _, err := channels.Sign(u, inv.Administrators()); err != nil {
					return err
				}
			}
			network, err := channels.Open(inv)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, network.Close()) }()
			ctx, cancel := context.WithTimeout(cmd.Context(), submitTimeout)
			defer cancel()
			r, err := network.Submit(ctx, u, func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) })
			if err != nil {
				return err
			}
			return printUpdate(cmd.OutOrStdout(), u, "", &r, asJSON)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asIs, "as-is", false, "add no signatures")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func atLeastOneFile(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return withCode(exitUsage, errors.New("name the file with the update"))
	}
	return nil
}

// printUpdate shows an update, who has signed it, and what became of it.
func printUpdate(w io.Writer, u *channelcfg.Update, file string, r *channelcfg.Result, asJSON bool) error {
	d, err := channels.Describe(u, file, r)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w, d)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "update of channel %s", d.Channel)
	if file != "" {
		fmt.Fprintf(&b, " in %s", file)
	}
	b.WriteString("\n")
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "  changes    %s: %s\n", c.Path, short(c.After))
	}
	for _, s := range d.Signers {
		fmt.Fprintf(&b, "  signed by  %s (%s)", s.MSPID, s.Subject)
		if s.Error != "" {
			fmt.Fprintf(&b, ": %s", s.Error)
		}
		b.WriteString("\n")
	}
	if len(d.Signers) == 0 {
		b.WriteString("  signed by  nobody\n")
	}
	if d.Receipt != nil {
		fmt.Fprintf(&b, "  in force   block %d, configuration %d", d.Receipt.Block, d.Receipt.Sequence)
		if d.AlreadyDone {
			b.WriteString(" (it was already)")
		}
		b.WriteString("\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

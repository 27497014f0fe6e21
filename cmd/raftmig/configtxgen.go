package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/golang/protobuf/proto"
	"github.com/spf13/cobra"

	"raftmig/testnet/configtxgen"
)

// configtxgenFlags are those of Fabric's configtxgen, single dash and all.
type configtxgenFlags struct {
	profile, channelID, configPath, baseProfile, asOrg, printOrg string
	outputBlock, outputCreateChannelTx, outputAnchorPeersUpdate  string
	inspectBlock, inspectChannelCreateTx                         string
	version                                                      bool
}

func (f *configtxgenFlags) set(name string) *flag.FlagSet {
	s := flag.NewFlagSet(name, flag.ContinueOnError)
	s.StringVar(&f.profile, "profile", "", "`name` of the profile in configtx.yaml to use")
	s.StringVar(&f.channelID, "channelID", "", "`name` of the channel; needed with every -output… flag")
	s.StringVar(&f.configPath, "configPath", "", "`folder` of configtx.yaml (default: FABRIC_CFG_PATH, the current folder, /etc/hyperledger/fabric)")
	s.StringVar(&f.outputBlock, "outputBlock", "", "`file` to write the genesis block to")
	s.StringVar(&f.outputCreateChannelTx, "outputCreateChannelTx", "", "`file` to write the channel-create transaction to")
	s.StringVar(&f.baseProfile, "channelCreateTxBaseProfile", "", "`name` of the system channel's profile, to let -outputCreateChannelTx change more than the Application section")
	s.StringVar(&f.outputAnchorPeersUpdate, "outputAnchorPeersUpdate", "", "`file` to write the first anchor-peer update of -asOrg to (deprecated by Fabric)")
	s.StringVar(&f.asOrg, "asOrg", "", "`name` of the organization for -outputAnchorPeersUpdate")
	s.StringVar(&f.inspectBlock, "inspectBlock", "", "`file` with a block to print as JSON")
	s.StringVar(&f.inspectChannelCreateTx, "inspectChannelCreateTx", "", "`file` with a channel-create transaction to print as JSON")
	s.StringVar(&f.printOrg, "printOrg", "", "`name` of an organization to print as JSON")
	s.BoolVar(&f.version, "version", false, "print the version")
	return s
}

func newConfigtxgenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "configtxgen",
		Short: "Make genesis blocks and channel transactions from a configtx.yaml, as Fabric's configtxgen does",
		Example: `  raftmig configtxgen -profile Genesis -channelID syschannel -outputBlock genesis.block
  raftmig configtxgen -profile Chan -channelID ch1 -outputCreateChannelTx ch1.tx
  raftmig configtxgen -inspectBlock genesis.block`,
		// Fabric's flags are long with a single dash; cobra would take them apart.
		DisableFlagParsing: true,
	}
	var help strings.Builder
	defaults := (&configtxgenFlags{}).set("configtxgen")
	defaults.SetOutput(&help)
	defaults.PrintDefaults()
	cmd.Long = "Make genesis blocks, channel-create transactions and anchor-peer updates from a\nconfigtx.yaml. The flags are those of Fabric's configtxgen, with one dash or two:\n\n" + help.String()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var f configtxgenFlags
		set := f.set(cmd.CommandPath())
		set.SetOutput(cmd.ErrOrStderr())
		set.Usage = func() {
			fmt.Fprintf(set.Output(), "%s\n\nExamples:\n%s\n\nFlags:\n", cmd.Short, cmd.Example)
			set.PrintDefaults()
		}
		if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil
		} else if err != nil {
			return withCode(exitUsage, err)
		}
		if set.NArg() > 0 {
			return withCode(exitUsage, fmt.Errorf("unexpected argument %q", set.Arg(0)))
		}
		return withCode(exitUsage, runConfigtxgen(cmd, &f))
	}
	return cmd
}

func runConfigtxgen(cmd *cobra.Command, f *configtxgenFlags) error {
	if f.version {
		return printToolVersion(cmd, "configtxgen")
	}
	outputs := f.outputBlock != "" || f.outputCreateChannelTx != "" || f.outputAnchorPeersUpdate != ""
	switch {
	case outputs && f.channelID == "":
		return errors.New("Missing channelID, please specify it with '-channelID'")
	case outputs && f.profile == "":
		return errors.New("The '-profile' is required when '-outputBlock', '-outputCreateChannelTx', or '-outputAnchorPeersUpdate' is specified")
	case !outputs && f.inspectBlock == "" && f.inspectChannelCreateTx == "" && f.printOrg == "":
		return errors.New("nothing to do; see 'raftmig configtxgen -help'")
	}
	options := configtxgen.Options{Warn: func(text string) { fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", text) }}
	if outputs {
		if err := writeConfigtx(f, options); err != nil {
			return err
		}
	}
	if f.inspectBlock != "" {
		data, err := os.ReadFile(f.inspectBlock)
		if err != nil {
			return fmt.Errorf("could not read block: %w", err)
		}
		if err := configtxgen.InspectBlock(cmd.OutOrStdout(), data); err != nil {
			return err
		}
	}
	if f.inspectChannelCreateTx != "" {
		data, err := os.ReadFile(f.inspectChannelCreateTx)
		if err != nil {
			return fmt.Errorf("could not read channel create tx: %w", err)
		}
		if err := configtxgen.InspectTx(cmd.OutOrStdout(), data); err != nil {
			return err
		}
	}
	if f.printOrg != "" {
		file, err := loadConfigtx(f)
		if err != nil {
			return err
		}
		org, err := file.Organization(f.printOrg)
		if err != nil {
			return err
		}
		return configtxgen.PrintOrg(cmd.OutOrStdout(), org, options)
	}
	return nil
}

func loadConfigtx(f *configtxgenFlags) (*configtxgen.File, error) {
	paths := configtxgen.DefaultPaths(os.Getenv("FABRIC_CFG_PATH"))
	if f.configPath != "" {
		paths = []string{f.configPath}
	}
	file, err := configtxgen.Find(paths...)
	if err != nil {
		return nil, err
	}
	return configtxgen.Load(file, os.Environ())
}

// writeConfigtx makes all outputs before it writes the first.
func writeConfigtx(f *configtxgenFlags, options configtxgen.Options) error {
	file, err := loadConfigtx(f)
	if err != nil {
		return err
	}
	profile, err := file.Profile(f.profile)
	if err != nil {
		return err
	}
	var base *configtxgen.Profile
	if f.baseProfile != "" {
		if base, err = file.Profile(f.baseProfile); err != nil {
			return err
		}
	}
	made := map[string]proto.Message{}
	if f.outputBlock != "" {
		if made[f.outputBlock], err = configtxgen.GenesisBlock(profile, f.channelID, options); err != nil {
			return fmt.Errorf("Error on outputBlock: %w", err)
		}
	}
	if f.outputCreateChannelTx != "" {
		if made[f.outputCreateChannelTx], err = configtxgen.CreateChannelTx(profile, base, f.channelID, options); err != nil {
			return fmt.Errorf("Error on outputCreateChannelTx: %w", err)
		}
	}
	if f.outputAnchorPeersUpdate != "" {
		if made[f.outputAnchorPeersUpdate], err = configtxgen.AnchorPeersUpdate(profile, f.channelID, f.asOrg, options); err != nil {
			return fmt.Errorf("Error on outputAnchorPeersUpdate: %w", err)
		}
	}
	for name, m := range made {
		data, err := proto.Marshal(m)
		if err != nil {
			return fmt.Errorf("marshalling %s: %w", name, err)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(name, data, 0o640); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

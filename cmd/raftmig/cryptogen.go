package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"raftmig/testnet/cryptogen"
)

func newCryptogenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cryptogen",
		Short: "Make key material from a crypto-config.yaml, as Fabric's cryptogen does",
		Example: `  raftmig cryptogen showtemplate > crypto-config.yaml
  raftmig cryptogen generate --config crypto-config.yaml --output crypto-config
  raftmig cryptogen extend --config crypto-config.yaml --input crypto-config`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newCryptogenGenerateCommand(), newCryptogenExtendCommand(),
		&cobra.Command{
			Use:     "showtemplate",
			Short:   "Print a crypto-config.yaml to start from",
			Example: "  raftmig cryptogen showtemplate > crypto-config.yaml",
			Args:    cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := fmt.Fprint(cmd.OutOrStdout(), cryptogen.Template)
				return err
			},
		},
		&cobra.Command{
			Use:     "version",
			Short:   "Print the version",
			Example: "  raftmig cryptogen version",
			Args:    cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return printToolVersion(cmd, "cryptogen")
			},
		})
	return cmd
}

func newCryptogenGenerateCommand() *cobra.Command {
	var config, output string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make the key material of all organizations",
		Long: `Make the key material of all organizations. Existing material is never
overwritten: the command then fails and changes nothing.`,
		Example: "  raftmig cryptogen generate --config crypto-config.yaml --output crypto-config",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cryptoConfig(config)
			if err != nil {
				return withCode(exitUsage, err)
			}
			return withCode(exitUsage, cryptogen.Generate(c, output, printDomains(cmd)))
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "crypto-config.yaml to read (default: the built-in template)")
	cmd.Flags().StringVar(&output, "output", "crypto-config", "folder to write to")
	return cmd
}

func newCryptogenExtendCommand() *cobra.Command {
	var config, input string
	cmd := &cobra.Command{
		Use:   "extend",
		Short: "Add organizations, nodes and users that are missing",
		Long: `Add to existing key material what the configuration describes and the folder
lacks. What exists stays as it is, CAs included.`,
		Example: "  raftmig cryptogen extend --config crypto-config.yaml --input crypto-config",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cryptoConfig(config)
			if err != nil {
				return withCode(exitUsage, err)
			}
			return withCode(exitUsage, cryptogen.Extend(c, input, printDomains(cmd)))
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "crypto-config.yaml to read (default: the built-in template)")
	cmd.Flags().StringVar(&input, "input", "crypto-config", "folder to extend")
	return cmd
}

func cryptoConfig(file string) (*cryptogen.Config, error) {
	if file == "" {
		return cryptogen.Parse("built-in template", []byte(cryptogen.Template))
	}
	return cryptogen.Load(file)
}

func printDomains(cmd *cobra.Command) cryptogen.Options {
	return cryptogen.Options{Made: func(domain string) { fmt.Fprintln(cmd.OutOrStdout(), domain) }}
}

func printToolVersion(cmd *cobra.Command, tool string) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s:\n Version: %s\n Go version: %s\n OS/Arch: %s/%s\n", tool, version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"raftmig/testnet"
	"raftmig/testnet/load"
)

// What a shell offers for the values of flags, by the flag's name.
var (
	flagChoices = map[string][]string{
		"abort-at":    {"maintenance", "backup", "switch", "restart"},
		"acknowledge": {"submission", "commit"},
		"capability":  {"V1_4_2", "V1_4_3"},
		"consensus":   {testnet.ConsensusKafka, testnet.ConsensusRaft},
		"format":      {"markdown", "html", "json"},
		"kafka":       {testnet.KafkaEmbedded, testnet.KafkaApache},
		"resend":      {string(load.ResendRefused), string(load.ResendUnknown)},
		"type":        {"block", "envelope", "update", "config"},
	}
	flagFiles = map[string][]string{
		"block": {"block"}, "config": {"yaml", "yml", "json"}, "configtx": {"yaml", "yml"}, "crypto-config": {"yaml", "yml"},
		"from": {"block"}, "network": {"yaml", "yml"},
	}
	flagFolders = []string{"data", "dir", "input", "kafka-home", "msp-dir", "runs"}
)

// addCompletions tells shells what the flags of cmd and of all commands below
// it take.
func addCompletions(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if values, ok := flagChoices[f.Name]; ok {
			// It fails for flags that somebody else completes; those are well served.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
		if extensions, ok := flagFiles[f.Name]; ok {
			_ = cmd.MarkFlagFilename(f.Name, extensions...)
		}
	})
	for _, name := range flagFolders {
		if cmd.LocalFlags().Lookup(name) != nil {
			_ = cmd.MarkFlagDirname(name)
		}
	}
	for _, sub := range cmd.Commands() {
		addCompletions(sub)
	}
}

// completeFault offers the faults, and then the nodes of the network.
func (f *testnetFlags) completeFault(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var values []string
	switch len(args) {
	case 0:
		for _, fault := range testnet.Faults() {
			values = append(values, string(fault))
		}
	case 1:
		if n, err := testnet.Open(f.dir); err == nil {
			values = n.NodeNames()
		}
	}
	return values, cobra.ShellCompDirectiveNoFileComp
}

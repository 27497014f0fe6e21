package main

import "github.com/spf13/cobra"

// Groups of the help text.
const (
	groupMigrate  = "migrate"
	groupRehearse = "rehearse"
	groupConfig   = "config"
	groupRaft     = "raft"
	groupTools    = "tools"
)

// addCommands adds every subcommand. The order is that of the help text.
func addCommands(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: groupRehearse, Title: "Rehearse:"},
		&cobra.Group{ID: groupMigrate, Title: "Migrate:"},
		&cobra.Group{ID: groupRaft, Title: "Operate on Raft:"},
		&cobra.Group{ID: groupConfig, Title: "Channel configuration and signatures:"},
		&cobra.Group{ID: groupTools, Title: "Fabric's tools and the engine:"},
	)
	cobra.EnableCommandSorting = false
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupRehearse, newRehearseCommand(), newTestnetCommand(), newBenchCommand())
	add(groupMigrate, newCheckCommand(), newPlanCommand(), newRunCommand(), newAttachCommand(),
		newStatusCommand(), newAbortCommand(), newReportCommand())
	add(groupRaft, newConsenterCommand(), newOptionsCommand())
	add(groupConfig, newChannelCommand(), newSignCommand())
	add(groupTools, newCryptogenCommand(), newConfigtxgenCommand(), newOrdererCommand(), newBrokerCommand())
	root.AddCommand(newRunnerCommand(), newManCommand())
	addCompletions(root)
}

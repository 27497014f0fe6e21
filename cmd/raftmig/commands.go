package main

import "github.com/spf13/cobra"

// addCommands adds every subcommand. The order is that of the help text.
func addCommands(root *cobra.Command) {
	root.AddCommand()
}

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"raftmig/runbook"
)

// Exit codes are part of the contract with scripts (README, "Exit codes").
const (
	exitOK         = 0
	exitFailed     = 1 // the command failed; nothing more specific applies
	exitUsage      = 2 // wrong flags, arguments or input files; nothing was changed
	exitRolledBack = 3 // the run ended, back on Kafka, without being asked to
	exitStopped    = 4 // the run stands still and can be resumed
)

// exitError carries an exit code with an error.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// withCode makes err end the process with an exit code; nil stays nil.
func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: code, err: err}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "raftmig",
		Short: "Migrate a Hyperledger Fabric ordering service from Kafka to Raft",
		Long: `raftmig takes a Hyperledger Fabric ordering service from Kafka to Raft inside
one maintenance window: it checks, performs and proves every step on every
node, and goes back to Kafka on request until maintenance mode is left.

Rehearse first. It needs nothing but this binary:

  raftmig rehearse`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.SetVersionTemplate("raftmig {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withCode(exitUsage, err) })
	addCommands(root)
	refuseUnknown(root)
	return root
}

// onlyGroup marks commands that only hold others.
const onlyGroup = "group"

// refuseUnknown makes a word that is no subcommand an error: cobra shows the help
// for it, and ends well; so does "help" with a word that is none. The help does
// not change.
func refuseUnknown(root *cobra.Command) {
	usage := strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .Annotations."+onlyGroup+")}}", 1)
	root.SetUsageTemplate(usage)
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if c == nil {
				return err
			}
			return noSuchCommand(c, rest)
		}
	}
	for _, c := range subcommands(root) {
		if c.HasSubCommands() && !c.Runnable() {
			c.Annotations = map[string]string{onlyGroup: "yes"}
			c.Args = noSuchCommand
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// noSuchCommand refuses words behind a command that only holds others.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	c.SuggestionsMinimumDistance = 2 // letters that differ
	if like := c.SuggestionsFor(args[0]); len(like) > 0 {
		text += "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return errors.New(text)
}

// subcommands lists a command and all below it.
func subcommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, subcommands(sub)...)
	}
	return all
}

// execute runs the command line and returns the exit code. What is wrong before
// a command has begun is wrong with the command line.
func execute(root *cobra.Command) int {
	begun := false
	for _, c := range subcommands(root) {
		if run := c.RunE; run != nil {
			c.RunE = func(cmd *cobra.Command, args []string) error {
				begun = true
				return run(cmd, args)
			}
		}
	}
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	printError(cmd.ErrOrStderr(), err)
	var coded *exitError
	switch {
	case !begun && !strings.HasPrefix(cmd.CommandPath(), root.Name()+" orderer"): // whose codes are Fabric's
		fmt.Fprintf(cmd.ErrOrStderr(), "  see:  %s --help\n", cmd.CommandPath())
		return exitUsage
	case errors.As(err, &coded):
		return coded.code
	default:
		return exitFailed
	}
}

// printError prints an error and, if it is a problem, its hint and reference.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "raftmig: %v\n", err)
	var p *runbook.Problem
	if !errors.As(err, &p) {
		return
	}
	if p.Hint != "" {
		fmt.Fprintf(w, "  hint: %s\n", p.Hint)
	}
	if p.Ref != "" {
		fmt.Fprintf(w, "  see:  %s\n", p.Ref)
	}
}

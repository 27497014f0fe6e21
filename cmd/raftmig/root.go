package main

import (
	"errors"
	"fmt"
	"io"

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
	return root
}

// execute runs the command line and returns the exit code.
func execute(root *cobra.Command) int {
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	printError(cmd.ErrOrStderr(), err)
	var coded *exitError
	if errors.As(err, &coded) {
		return coded.code
	}
	return exitFailed
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

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"raftmig/fabricops/runner"
	"raftmig/runbook"
)

func newAttachCommand() *cobra.Command {
	var f networkFlags
	var show showFlags
	cmd := &cobra.Command{
		Use:   "attach",
		Short: "Show the run that is being driven, from this terminal",
		Long: `Attach shows the run that is being driven, as "raftmig run" does. Any number of
terminals may be attached; leaving one does not end the run.`,
		Example: `  raftmig attach
  raftmig attach --read-only        # for a second pair of eyes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := show.mode(false)
			if m == modeHeadless && show.json {
				return withCode(exitUsage, errors.New("attach has no --json: see raftmig status --json"))
			}
			if _, err := f.latest(); err != nil {
				return err
			}
			return attachAndShow(cmd, f, m, &show)
		},
	}
	f.add(cmd)
	show.add(cmd)
	cmd.Flags().BoolVar(&show.readOnly, "read-only", false, "look only: no answers, no abort")
	return cmd
}

func newAbortCommand() *cobra.Command {
	var f networkFlags
	var show showFlags
	var yes bool
	var reason string
	cmd := &cobra.Command{
		Use:   "abort",
		Short: "Take the network back to Kafka and normal mode",
		Long: `Abort ends the last run by taking the network back to where it was: on Kafka, in
normal mode, every acknowledged transaction there. It is possible until the first
channel has left maintenance mode on Raft, and refused after that. A run that operates
on Raft (consenter, options) is ended before its first update, and refused after that.

If the run is being driven it is told to go back; if not, it is resumed first.`,
		Example: `  raftmig abort
  raftmig abort --yes --headless --reason "window is over"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return abortRun(cmd, f, &show, yes, reason)
		},
	}
	f.add(cmd)
	show.add(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().StringVar(&reason, "reason", "raftmig abort", "kept in the journal and the report")
	return cmd
}

func abortRun(cmd *cobra.Command, f networkFlags, show *showFlags, yes bool, reason string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	folder := f.runs()
	last, err := f.latest()
	if err != nil {
		return err
	}
	snapshot, err := folder.Read(last)
	switch {
	case err != nil:
		return err
	case snapshot.Outcome != "" && !snapshot.Resumable:
		return withCode(exitUsage, &runbook.Problem{What: "the last run has ended: " + string(snapshot.Outcome), Where: folder.RunDir(last)})
	case snapshot.AbortAsked || snapshot.Phase == runbook.PhaseRollback:
		return &runbook.Problem{
			What: "the run is on its way back already", Where: folder.RunDir(last),
			Hint: fmt.Sprintf("how far it is: raftmig attach%[1]s; go on with it, if nobody drives it: raftmig run --resume%[1]s", f.arguments()),
		}
	case !snapshot.AbortOffered:
		return &runbook.Problem{What: "there is no way back any more", Why: snapshot.AbortNote}
	}
	cmd.Printf("Run %s of %s, phase %s.\n%s\n", last, snapshot.Plan.Network, snapshot.Phase, snapshot.AbortNote)
	question := "Take the network back to Kafka?"
	if snapshot.Plan.Operation != nil {
		question = "End the run?"
	}
	if !yes && !confirmed(cmd, question) {
		return withCode(exitStopped, errors.New("nothing was done"))
	}
	client, err := runner.Attach(ctx, folder, f.arguments())
	if err != nil { // nobody drives it: do so
		if err := startRunner(ctx, folder, []string{"runner", "--network", f.file, "--runs", string(folder), "--resume"}); err != nil {
			return err
		}
		if client, err = runner.Attach(ctx, folder, f.arguments()); err != nil {
			return err
		}
	}
	err = client.Send(ctx, runbook.Command{Kind: runbook.EventAbort, Text: reason, By: runner.Who()})
	if err = errors.Join(err, client.Close()); err != nil {
		return err
	}
	// A new connection begins with the state after the command, not before it.
	if client, err = runner.Attach(ctx, folder, f.arguments()); err != nil {
		snapshot, readErr := folder.Read(last) // the way back was short, and is over
		if readErr != nil || snapshot.Outcome == "" {
			return errors.Join(err, readErr)
		}
		cmd.Printf("The run has ended: %s.\n%s\n", snapshot.Outcome, attach{folder: folder}.afterwards())
		return verdict(&snapshot, true)
	}
	seen, err := show.show(context.WithoutCancel(ctx), show.mode(true), attach{client: client, folder: folder}, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	return verdict(seen, true)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"raftmig/fabricops"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/runner"
	"raftmig/runbook"
)

// state is what status prints as JSON. A part that could not be read is
// missing, and Trouble says why.
type state struct {
	Run     string           `json:"run,omitempty"` // "" if there was none yet
	Driven  bool             `json:"driven"`        // a process drives it now
	Phase   runbook.Phase    `json:"phase,omitempty"`
	Step    runbook.StepID   `json:"step,omitempty"` // the one that runs, waits or failed
	Status  runbook.Status   `json:"status,omitempty"`
	Problem *runbook.Problem `json:"problem,omitempty"`
	// Awaited are the updates whose signatures the run stands still for.
	Awaited   []runbook.SignatureState `json:"awaited,omitempty"`
	Resumable bool                     `json:"resumable"`
	Outcome   runbook.Outcome          `json:"outcome,omitempty"`
	WayBack   string                   `json:"way_back,omitempty"`
	Next      string                   `json:"next,omitempty"` // the command to go on with
	Processes []runbook.ProcessState   `json:"processes,omitempty"`
	Channels  []runbook.ChannelState   `json:"channels"`
	// ObservedAt is set if Channels are what the run observed last, because
	// they cannot be read now.
	ObservedAt time.Time `json:"observed_at,omitzero"`
	Trouble    string    `json:"trouble,omitempty"`
}

func newStatusCommand() *cobra.Command {
	var f networkFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show where the last run stands, and every process and channel on every node",
		Long: `Status shows where the last run of the network stands and how to go on, which
processes run, and every channel as every orderer has it. It changes nothing and
works at any time: while orderers are down it shows the channels as the run
observed them last. Exit code 1 means that something could not be read.`,
		Example: `  raftmig status
  raftmig status --json | jq .next`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			network, err := f.load()
			if err != nil {
				return err
			}
			s, trouble := readState(cmd.Context(), network, &f)
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), s)
			} else {
				err = printState(cmd.OutOrStdout(), &s)
			}
			return errors.Join(err, trouble)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// readState reads all that can be read; the error is about the rest.
func readState(ctx context.Context, network *inventory.Network, f *networkFlags) (state, error) {
	var s state
	snapshot, err := readRun(ctx, f, &s)
	if err != nil {
		s.Trouble = err.Error()
		return s, err
	}
	err = readNetwork(ctx, network, &s)
	if err != nil {
		s.Trouble = err.Error()
		if snapshot != nil && len(s.Channels) == 0 {
			s.Channels, s.ObservedAt = snapshot.Channels, snapshot.ObservedAt
		}
	}
	return s, err
}

// readRun reads the last run's journal; nil if there is no run.
func readRun(ctx context.Context, f *networkFlags, s *state) (*runbook.Snapshot, error) {
	folder := f.runs()
	last, err := folder.Latest()
	if errors.Is(err, runner.ErrNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	snapshot, err := folder.Read(last)
	if err != nil {
		return nil, err
	}
	s.Run, s.Phase, s.Outcome, s.Resumable, s.Problem = last, snapshot.Phase, snapshot.Outcome, snapshot.Resumable, snapshot.Problem
	s.Awaited = snapshot.Awaited
	if i := snapshot.Current; i >= 0 {
		s.Step, s.Status = snapshot.Steps[i].ID, snapshot.Steps[i].Status
	}
	if client, err := runner.Attach(ctx, folder, f.arguments()); err == nil {
		s.Driven = true
		_ = client.Close()
	}
	if s.Outcome == "" {
		s.WayBack = snapshot.AbortNote
	}
	switch {
	case s.Driven:
		s.Next = "raftmig attach" + string(f.arguments())
	case s.Resumable:
		s.Next = "raftmig run --resume" + string(f.arguments())
	}
	return &snapshot, nil
}

// readNetwork looks at the processes and at the channels on every orderer.
func readNetwork(ctx context.Context, network *inventory.Network, s *state) (err error) {
	op, err := fabricops.New(network, fabricops.Options{RunDir: os.TempDir(), Run: "status"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.Close()) }()
	quiet := func(runbook.Progress) {}
	processes, errProcesses := op.Perform(ctx, runbook.Effect{ID: "status#1", Kind: runbook.ReadProcesses}, quiet)
	channels, errChannels := op.Perform(ctx, runbook.Effect{ID: "status#2", Kind: runbook.ReadChannels}, quiet)
	s.Processes, s.Channels = processes.Processes, channels.Channels
	return errors.Join(errProcesses, errChannels)
}

func printState(w io.Writer, s *state) error {
	printRun(w, s)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if len(s.Processes) > 0 {
		fmt.Fprintln(t, "PROCESS\tSTATE")
		for _, p := range s.Processes {
			state := "down"
			if p.Running {
				state = "up"
			}
			fmt.Fprintf(t, "%s\t%s\n", p.Node, state)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if len(s.Channels) == 0 {
		return nil
	}
	if !s.ObservedAt.IsZero() {
		fmt.Fprintf(w, "The channels cannot be read now. As the run observed them last, at %s:\n", s.ObservedAt.UTC().Format("15:04:05 UTC on 2006-01-02"))
	}
	fmt.Fprintln(t, "CHANNEL\tNODE\tTYPE\tSTATE\tHEIGHT\tLAST BLOCK\tCONFIG\tLEADER")
	for _, c := range s.Channels {
		for _, n := range c.Nodes {
			if n.Error != "" {
				fmt.Fprintf(t, "%s\t%s\tunreadable: %s\n", c.Name, n.Node, n.Error)
				continue
			}
			leader := "-"
			if n.Leader != 0 {
				leader = fmt.Sprint(n.Leader)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%.12s\t%d\t%s\n",
				c.Name, n.Node, n.Type, n.State, n.Height, n.LastBlockHash, n.ConfigSequence, leader)
		}
	}
	return t.Flush()
}

// printRun says where the run stands, what keeps it, and how to go on.
func printRun(w io.Writer, s *state) {
	if s.Run == "" {
		return
	}
	where := "phase " + string(s.Phase)
	if s.Outcome != "" {
		where = string(s.Outcome)
	}
	if s.Step != "" {
		status := s.Status
		if status == runbook.StatusRunning && !s.Driven {
			status = "cut short"
		}
		where += fmt.Sprintf(", step %s %s", s.Step, status)
	}
	driven := "nobody drives it"
	if s.Driven {
		driven = "being driven"
	}
	fmt.Fprintf(w, "run %s: %s (%s)\n", s.Run, where, driven)
	if s.Problem != nil {
		fmt.Fprintf(w, "problem:  %s\n", s.Problem.Error())
	}
	for _, a := range s.Awaited {
		fmt.Fprintf(w, "unsigned: %s by %s: %s\n", a.Channel, strings.Join(a.Missing, ", "), a.File)
	}
	if s.WayBack != "" {
		fmt.Fprintf(w, "way back: %s\n", s.WayBack)
	}
	if s.Next != "" {
		fmt.Fprintf(w, "go on:    %s\n", s.Next)
	}
	fmt.Fprintln(w)
}

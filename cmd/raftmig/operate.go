package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"raftmig/fabricops"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/tui/present"
)

// operateFlags are the flags of every operation on Raft.
type operateFlags struct {
	run    runFlags
	show   showFlags
	yes    bool
	dryRun bool
}

func (f *operateFlags) add(cmd *cobra.Command) {
	f.run.add(cmd)
	f.show.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.run.resume, "resume", false, "go on with the last run if it has not ended")
	fl.StringSliceVar(&f.run.ignore, "ignore-check", nil, "count this check's errors as warnings (repeatable)")
	fl.DurationVar(&f.run.signatures, "signatures-timeout", signaturesTimeout, "with --headless and awaitSignatures: how long to wait at one step for signed files")
	fl.BoolVar(&f.yes, "yes", false, "with --headless: do it without asking")
	fl.BoolVar(&f.dryRun, "dry-run", false, "check, and show what would change and every step with its commands; change nothing")
}

// operate runs an operation on the network, or shows what it would do.
func (f *operateFlags) operate(cmd *cobra.Command, describe func(*inventory.Network) (*runbook.Operation, error)) error {
	network, err := f.run.load()
	if err != nil {
		return err
	}
	operation, err := describe(network)
	if err != nil {
		return withCode(exitUsage, err)
	}
	if f.dryRun {
		return f.preview(cmd, network, *operation)
	}
	f.run.operation = operation
	if f.run.resume {
		done, err := f.run.runs().Done(*operation)
		if err != nil {
			return err
		}
		if done != nil {
			return f.showDone(cmd, done)
		}
	}
	m := f.show.mode(false)
	switch {
	case m != modeHeadless && f.yes:
		return withCode(exitUsage, errors.New("--yes goes with --headless; otherwise you are asked when it is time"))
	case m != modeHeadless:
		return f.run.detached(cmd, m, &f.show)
	case !f.yes:
		return withCode(exitUsage, &runbook.Problem{
			What: "a headless run asks nobody: " + operation.String(),
			Hint: "look first (--dry-run), then confirm it: --yes",
		})
	case operation.ByHand:
		return withCode(exitUsage, &runbook.Problem{
			What: "a headless run cannot wait for files that people put onto " + operation.Node,
			Hint: "say in raftmig.yaml where they belong: bootstrapFile of a new consenter, serverKey and clientKey of one with new certificates",
		})
	}
	return f.run.headless(cmd, network, &f.show)
}

// showDone shows a run that is to be gone on with and has ended well.
func (f *operateFlags) showDone(cmd *cobra.Command, s *runbook.Snapshot) error {
	if f.show.json {
		return writeDocument(cmd.OutOrStdout(), s, nil)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "Run %s has done it: %s.\n%s\n", s.Plan.Run, s.Plan.Operation, attach{folder: f.run.runs()}.afterwards())
	return err
}

// preview shows what the operation would do.
func (f *operateFlags) preview(cmd *cobra.Command, network *inventory.Network, o runbook.Operation) (err error) {
	op, err := fabricops.New(network, fabricops.Options{RunDir: os.TempDir(), Run: "plan"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.Close()) }()
	plan := op.Plan("plan")
	plan.Operation, plan.IgnoreChecks = &o, f.run.ignore
	s, err := runner.Preview(cmd.Context(), op, plan)
	if err != nil {
		return err
	}
	if f.show.json {
		err = writeJSON(cmd.OutOrStdout(), previewed(s))
	} else {
		err = printPreview(cmd.OutOrStdout(), s)
	}
	if s.Problem != nil {
		err = errors.Join(err, s.Problem)
	}
	return err
}

// previewDocument is what --dry-run --json prints.
type previewDocument struct {
	Operation runbook.Operation  `json:"operation"`
	Changes   []string           `json:"changes"` // nothing where every channel has it already
	Findings  []runbook.Finding  `json:"findings"`
	Problem   *runbook.Problem   `json:"problem,omitempty"`
	Steps     []runbook.StepView `json:"steps"`
}

func previewed(s runbook.Snapshot) previewDocument {
	d := previewDocument{Operation: *s.Plan.Operation, Changes: []string{}, Findings: s.Findings, Problem: s.Problem, Steps: s.Steps}
	if s.Metadata != nil && len(s.Metadata.Changes) > 0 {
		d.Changes = s.Metadata.Changes
	}
	return d
}

func printPreview(w io.Writer, s runbook.Snapshot) error {
	d := previewed(s)
	fmt.Fprintf(w, "%s: %s on %s\n", s.Plan.Network, d.Operation, present.Plural(len(s.Channels), "channel"))
	for _, c := range d.Changes {
		fmt.Fprintln(w, "  "+c)
	}
	fmt.Fprintln(w)
	if err := printFindings(w, d.Findings); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return printPlan(w, s.Steps)
}

// decodeOperation reads what the detached runner is told.
func decodeOperation(text string) (*runbook.Operation, error) {
	if text == "" {
		return nil, nil
	}
	o := &runbook.Operation{}
	if err := json.Unmarshal([]byte(text), o); err != nil {
		return nil, fmt.Errorf("decoding the operation: %w", err)
	}
	return o, nil
}

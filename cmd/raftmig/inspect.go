package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"raftmig/fabricops"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/runbook/preflight"
	"raftmig/runbook/report"
)

// errFindings ends a check that found errors.
var errFindings = errors.New("the network is not ready to be migrated")

func newCheckCommand() *cobra.Command {
	var f networkFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Run the preflight checks; change nothing",
		Long: `Check looks at every node, channel, certificate and policy as a run would before
it touches anything, with the same code, and changes nothing. It may be run while
the network serves its clients. Exit code 1 means that a check found an error.`,
		Example: `  raftmig check --network raftmig.yaml
  raftmig check --json | jq '.[] | select(.severity != "ok")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			network, err := f.load()
			if err != nil {
				return err
			}
			ev, err := perform(cmd.Context(), network, runbook.GatherFacts)
			if err != nil {
				return err
			}
			findings := preflight.Check(*ev.Facts)
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), findings)
			} else {
				err = printFindings(cmd.OutOrStdout(), findings)
			}
			for _, finding := range findings {
				if finding.Severity == runbook.SeverityError {
					return errors.Join(err, errFindings)
				}
			}
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

// perform performs one reading effect outside of any run.
func perform(ctx context.Context, network *inventory.Network, kind runbook.EffectKind) (runbook.Evidence, error) {
	return performEffect(ctx, network, runbook.Effect{ID: "check#1", Kind: kind})
}

func performEffect(ctx context.Context, network *inventory.Network, e runbook.Effect) (runbook.Evidence, error) {
	op, err := fabricops.New(network, fabricops.Options{RunDir: os.TempDir(), Run: "check"})
	if err != nil {
		return runbook.Evidence{}, err
	}
	ev, err := op.Perform(ctx, e, func(runbook.Progress) {})
	return ev, errors.Join(err, op.Close())
}

func printFindings(w io.Writer, findings []runbook.Finding) error {
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "%-5s %-24s %s\n", strings.ToUpper(string(f.Severity)), f.Check, f.Summary); err != nil {
			return err
		}
		if f.Severity == runbook.SeverityOK {
			continue
		}
		for _, e := range f.Evidence {
			fmt.Fprintf(w, "%31s%s\n", "", e)
		}
		if f.Hint != "" {
			fmt.Fprintf(w, "%31shint: %s\n", "", f.Hint)
		}
	}
	return nil
}

func newPlanCommand() *cobra.Command {
	var f networkFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show every step of a run, with its commands and time; change nothing",
		Long: `Plan looks at the network as a run does before it asks for the first time, and
prints every step that would follow: what it does, how it is proven, what going
back costs, the commands that would do the same by hand. It changes nothing.`,
		Example: `  raftmig plan --network raftmig.yaml | less
  raftmig plan --json > plan.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			network, err := f.load()
			if err != nil {
				return err
			}
			op, err := fabricops.New(network, fabricops.Options{RunDir: os.TempDir(), Run: "plan"})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, op.Close()) }()
			s, err := runner.Preview(cmd.Context(), op, op.Plan("plan"))
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), s.Steps)
			} else {
				err = printPlan(cmd.OutOrStdout(), s.Steps)
			}
			if s.Problem != nil {
				err = errors.Join(err, s.Problem)
			}
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the steps as JSON")
	return cmd
}

func printPlan(w io.Writer, steps []runbook.StepView) error {
	phase, total := runbook.Phase(""), time.Duration(0)
	for i, s := range steps {
		if s.Phase != phase {
			phase = s.Phase
			fmt.Fprintf(w, "\n%s\n", strings.ToUpper(string(phase)))
		}
		estimate := s.Explain.Estimate.Round(time.Second)
		total += estimate
		fmt.Fprintf(w, "%3d  %s (%s, about %s)\n", i+1, s.Explain.Title, s.ID, estimate)
		for _, line := range []string{s.Explain.What, "proof: " + s.Explain.Verify} {
			fmt.Fprintf(w, "     %s\n", strings.ReplaceAll(line, "\n", "\n     "))
		}
		for _, c := range s.Explain.Commands {
			fmt.Fprintf(w, "     $ %s\n", strings.ReplaceAll(c, "\n", "\n       "))
		}
	}
	_, err := fmt.Fprintf(w, `
WAY BACK
     Before the type is switched: the channels go back to normal mode on Kafka.
     After it, until step exit.normal: everything stops, the backup is restored,
     Raft's folders are removed, Kafka and the orderers start again.
     From step exit.normal on: none.

About %s in all, without the time that you take to answer.
`, total)
	return err
}

func newReportCommand() *cobra.Command {
	var f networkFlags
	var run, format string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the evidence of a run as Markdown, HTML or JSON",
		Example: `  raftmig report > evidence.md
  raftmig report --format html > evidence.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder := f.runs()
			if run == "" {
				var err error
				if run, err = f.latest(); err != nil {
					return err
				}
			}
			snapshot, err := folder.Read(filepath.Base(run))
			if err != nil {
				return err
			}
			return writeReport(cmd.OutOrStdout(), format, &snapshot)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&run, "run", "", "name of the run (default: the last one)")
	cmd.Flags().StringVar(&format, "format", "markdown", "markdown, html or json")
	return cmd
}

func writeReport(w io.Writer, format string, s *runbook.Snapshot) error {
	switch format {
	case "markdown":
		return report.Markdown(w, *s)
	case "html":
		return report.HTML(w, *s)
	case "json":
		return writeDocument(w, s, nil)
	default:
		return withCode(exitUsage, fmt.Errorf("unknown format %q: markdown, html or json", format))
	}
}

// writeDocument prints the JSON document of a run.
func writeDocument(w io.Writer, s *runbook.Snapshot, tx *report.Transactions) error {
	return writeJSON(w, report.New(*s, tx))
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// confirmed asks a yes-no question on the terminal; anything but yes is no.
func confirmed(cmd *cobra.Command, question string) bool {
	fmt.Fprintf(cmd.OutOrStdout(), "%s Type yes: ", question)
	var answer string
	_, err := fmt.Fscanln(cmd.InOrStdin(), &answer)
	return err == nil && strings.EqualFold(answer, "yes")
}

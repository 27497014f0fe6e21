package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/runbook/driver"
)

// networkFlags name the network and the folder of its runs.
type networkFlags struct {
	file   string
	folder string
}

func (f *networkFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.file, "network", "raftmig.yaml", "the network's description")
	fl.StringVar(&f.folder, "runs", "", "folder for runs (default: raftmig-runs beside the network's description)")
}

func (f *networkFlags) runs() runner.Folder {
	if f.folder != "" {
		return runner.Folder(f.folder)
	}
	return runner.DefaultFolder(f.file)
}

// arguments are what names the same run to another command.
func (f *networkFlags) arguments() runner.Arguments {
	var out string
	if f.file != "raftmig.yaml" {
		out += " --network " + runner.Quote(f.file)
	}
	if f.runs() != runner.DefaultFolder(f.file) {
		out += " --runs " + runner.Quote(f.folder)
	}
	return runner.Arguments(out)
}

// load reads and checks the network's description.
func (f *networkFlags) load() (*inventory.Network, error) {
	n, err := inventory.Load(f.file)
	if _, statErr := os.Stat(f.file); errors.Is(statErr, fs.ErrNotExist) {
		err = &runbook.Problem{
			What: "there is no description of the network", Where: absolute(f.file),
			Hint: "Go to its folder, or name the file with --network. docs/raftmig-yaml.md says what it holds; a rehearsal has one in its folder.",
		}
	}
	return n, withCode(exitUsage, err)
}

// absolute is a path as it can be named from anywhere.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// latest names the last run.
func (f *networkFlags) latest() (string, error) {
	run, err := f.runs().Latest()
	if errors.Is(err, runner.ErrNoRun) {
		err = &runbook.Problem{
			What: err.Error(), Where: absolute(string(f.runs())),
			Hint: "Runs are looked for beside raftmig.yaml in this folder; name another file with --network, or the folder of runs with --runs.",
		}
	}
	return run, withCode(exitUsage, err)
}

// runFlags say which run to drive.
type runFlags struct {
	networkFlags
	resume  bool
	confirm string
	ignore  []string
	// signatures is how long a headless run waits for signatures at one step.
	signatures time.Duration
	// operation is what a run on Raft changes; nil for a migration.
	operation *runbook.Operation
}

// signaturesTimeout is the default for that: the window is open meanwhile, and
// people who are at hand sign within it.
const signaturesTimeout = time.Hour

func newRunCommand() *cobra.Command {
	var f runFlags
	var show showFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Migrate the network that raftmig.yaml describes",
		Long: `Run takes the network in raftmig.yaml from Kafka to Raft: it checks, shows what
it will do, does it and proves it, step by step, and waits for you where a
decision is yours. The run lives in a process of its own: closing this terminal
does not harm it; "raftmig attach" comes back to it.

With --headless nobody is asked. Because a headless run also leaves maintenance
mode, after which there is no way back, it must be given the network's name:
--confirm NAME.

With awaitSignatures in raftmig.yaml the run stands still once in each of the
three rounds of updates, and once on the way back, until administrators elsewhere
have signed: the updates of all channels lie in signatures/ of the run's folder,
with awaited.json, which says whose signature is missing. Have them signed
("raftmig sign --each"), put them back, and retry. A headless run looks for them
itself and goes on when they are there; after --signatures-timeout at one step
it ends with code 4, nothing undone, and --resume goes on waiting.`,
		Example: `  raftmig check --network raftmig.yaml      # look first; changes nothing
  raftmig run --network raftmig.yaml
  raftmig run --resume                      # go on after a crash or a reboot
  raftmig run --headless --confirm mynet --json > result.json
  raftmig run --headless --confirm mynet --signatures-timeout 4h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, &show)
		},
	}
	f.add(cmd)
	show.add(cmd)
	fl := cmd.Flags()
	fl.BoolVar(&f.resume, "resume", false, "go on with the last run if it has not ended")
	fl.StringVar(&f.confirm, "confirm", "", "with --headless: the network's name, to pass the point of no return")
	fl.DurationVar(&f.signatures, "signatures-timeout", signaturesTimeout, "with --headless and awaitSignatures: how long to wait at one step for signed files")
	fl.StringSliceVar(&f.ignore, "ignore-check", nil, "count this preflight check's errors as warnings (repeatable)")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, show *showFlags) error {
	network, err := f.load()
	if err != nil {
		return err
	}
	m := show.mode(false)
	if m == modeHeadless {
		if f.confirm != network.Name {
			return withCode(exitUsage, &runbook.Problem{
				What: "a headless run leaves maintenance mode without asking, and there is no way back from that",
				Hint: "confirm it: --confirm " + network.Name,
			})
		}
		return f.headless(cmd, network, show)
	}
	if f.confirm != "" {
		return withCode(exitUsage, errors.New("--confirm goes with --headless; otherwise the name is typed when it is time"))
	}
	if cmd.Flags().Changed("signatures-timeout") {
		return withCode(exitUsage, errors.New("--signatures-timeout goes with --headless; otherwise the run waits as long as you do"))
	}
	return f.detached(cmd, m, show)
}

// headless drives the run in this process. A lost terminal does not end it.
func (f *runFlags) headless(cmd *cobra.Command, network *inventory.Network, show *showFlags) error {
	signal.Ignore(syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := runner.Open(runner.Options{
		Network: network, Folder: f.runs(), Arguments: f.arguments(), Resume: f.resume, Unattended: true, IgnoreChecks: f.ignore, Operation: f.operation,
	})
	if err != nil {
		return err
	}
	snapshot, err := driveShown(ctx, r, show, f.signatures, cmd)
	if err == nil {
		err = verdict(snapshot, false)
	}
	if show.json && len(snapshot.Steps) > 0 { // it has begun
		err = errors.Join(writeDocument(cmd.OutOrStdout(), snapshot, nil), err)
	}
	return err
}

// driveShown drives a run in this process and prints it; it closes the run. It
// waits for signatures as long as signatures says.
func driveShown(ctx context.Context, r *runner.Runner, show *showFlags, signatures time.Duration, cmd *cobra.Command) (*runbook.Snapshot, error) {
	out := cmd.OutOrStdout()
	if show.json {
		out = cmd.ErrOrStderr()
	}
	shown := make(chan error, 1)
	client := r.Client()
	show.awaits = true
	go func() {
		_, err := show.show(context.WithoutCancel(ctx), modeHeadless, attach{client: client}, out)
		shown <- err
	}()
	snapshot, err := r.RunAwaiting(ctx, signatures, func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) })
	<-shown // what it has to say about the run's end, the verdict says better
	if errors.Is(err, driver.ErrStopped) {
		err = withCode(exitStopped, err)
	}
	return &snapshot, errors.Join(err, r.Close())
}

// detached begins the run in a process of its own and shows it here.
func (f *runFlags) detached(cmd *cobra.Command, m mode, show *showFlags) error {
	ctx := cmd.Context()
	folder := f.runs()
	args := []string{"runner", "--network", f.file, "--runs", string(folder)}
	if f.resume {
		args = append(args, "--resume")
	}
	for _, id := range f.ignore {
		args = append(args, "--ignore-check", id)
	}
	if f.operation != nil {
		operation, err := json.Marshal(f.operation)
		if err != nil {
			return fmt.Errorf("encoding the operation: %w", err)
		}
		args = append(args, "--operation", string(operation))
	}
	if err := startRunner(ctx, folder, args); err != nil {
		return err
	}
	return attachAndShow(cmd, f.networkFlags, m, show)
}

// attachAndShow attaches this terminal to the run that is being driven.
func attachAndShow(cmd *cobra.Command, f networkFlags, m mode, show *showFlags) error {
	client, err := runner.Attach(cmd.Context(), f.runs(), f.arguments())
	if err != nil {
		return err
	}
	last, err := show.show(cmd.Context(), m, attach{
		client:   client,
		reattach: func(ctx context.Context) (runbook.Client, error) { return runner.Attach(ctx, f.runs(), f.arguments()) },
		folder:   f.runs(),
	}, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	if last != nil && last.Outcome == "" {
		return nil // the screen has said that the run goes on, and how to come back
	}
	return verdict(last, true)
}

// startRunner starts the detached runner and waits until it serves.
func startRunner(ctx context.Context, folder runner.Folder, args []string) error {
	if err := os.MkdirAll(string(folder), 0o700); err != nil {
		return err
	}
	_, err := runner.Detach(ctx, folder.RunnerLog(), args...)
	return err
}

// newRunnerCommand is the detached process; it is not for people.
func newRunnerCommand() *cobra.Command {
	var f runFlags
	var abortAfter, operation string
	cmd := &cobra.Command{
		Use:    "runner",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			network, err := f.load()
			if err != nil {
				return errors.Join(err, runner.Started("", err))
			}
			if f.operation, err = decodeOperation(operation); err != nil {
				return errors.Join(err, runner.Started("", err))
			}
			r, err := runner.Open(runner.Options{
				Network: network, Folder: f.runs(), Arguments: f.arguments(), Resume: f.resume,
				AbortAfter: runbook.Phase(abortAfter), IgnoreChecks: f.ignore, Operation: f.operation,
			})
			if err != nil {
				return errors.Join(err, runner.Started("", err))
			}
			snapshot, err := r.RunDetached(ctx)
			if err = errors.Join(err, r.Close()); err != nil {
				return err
			}
			return verdict(&snapshot, true)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.resume, "resume", false, "")
	cmd.Flags().StringVar(&abortAfter, "abort-at", "", "")
	cmd.Flags().StringVar(&operation, "operation", "", "")
	cmd.Flags().StringSliceVar(&f.ignore, "ignore-check", nil, "")
	return cmd
}

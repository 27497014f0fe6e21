package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/testnet"
	"raftmig/testnet/rehearsal"
	"raftmig/testnet/validate"
)

// abortPhases are the phases after which a rehearsal can practise the way back.
var abortPhases = []runbook.Phase{
	runbook.PhaseMaintenance, runbook.PhaseBackup, runbook.PhaseSwitch, runbook.PhaseRestart,
}

// errUnproven ends a rehearsal whose ledgers do not hold what they should.
var errUnproven = errors.New("the ledgers do not hold what was acknowledged")

type rehearseFlags struct {
	dir          string
	transactions int
	size         int
	abortAt      string
	keep         bool
	resume       bool
	shape        specFlags
	show         showFlags
}

func newRehearseCommand() *cobra.Command {
	var f rehearseFlags
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Build a network on Kafka, put transactions on it, and migrate it to Raft",
		Long: `Rehearse makes an ordering service on this machine: orderers, a system channel,
application channels and an embedded Kafka, each a process of its own. It puts
signed transactions on it and opens the runbook, the same that a real network
gets. Afterwards it reads the ledgers of all nodes and counts what was
acknowledged, committed, lost or doubled.

With --dir of a network that "raftmig testnet init" or "raftmig testnet clone"
made, it is rehearsed on that one.

With --headless nobody is asked. With --json, and always without a terminal, one
JSON document goes to standard output and everything else to standard error.

Exit codes: 0 migrated, or rolled back as asked at the terminal or with
--abort-at; 1 failed, or transactions missing or doubled; 2 wrong input; 3
rolled back by itself; 4 the run has not ended (--resume goes on).`,
		Example: `  raftmig rehearse
  raftmig rehearse --dir net --orderers 5 --channels 20 --keep
  raftmig testnet clone --config raftmig.yaml --dir twin && raftmig rehearse --dir twin
  raftmig rehearse --dir net --abort-at switch     # practise the way back
  raftmig rehearse --dir net --resume              # then migrate it
  raftmig rehearse --headless --json --transactions 500 > result.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.rehearse(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.dir, "dir", "", "folder of the network: new or empty, or one of 'testnet init' or 'testnet clone' (default: a temporary one)")
	fl.IntVar(&f.transactions, "transactions", 200, "signed transactions: most before the run, some after it")
	fl.IntVar(&f.size, "size", 1024, "payload of a transaction in bytes")
	fl.StringVar(&f.abortAt, "abort-at", "", "practise the way back after this phase: maintenance, backup, switch or restart")
	fl.BoolVar(&f.keep, "keep", false, "leave the network up and say how to reach it")
	fl.BoolVar(&f.resume, "resume", false, "go on with the rehearsal in --dir")
	f.shape.add(cmd)
	f.show.add(cmd)
	return cmd
}

// check refuses contradictory flags before anything is made.
func (f *rehearseFlags) check() error {
	var errs []error
	if f.abortAt != "" && !slices.Contains(abortPhases, runbook.Phase(f.abortAt)) {
		errs = append(errs, fmt.Errorf("--abort-at %s: expected one of %v", f.abortAt, abortPhases))
	}
	if f.resume && f.dir == "" {
		errs = append(errs, errors.New("--resume needs the folder of the rehearsal: --dir"))
	}
	if f.transactions < 0 {
		errs = append(errs, fmt.Errorf("--transactions %d: it cannot be negative", f.transactions))
	}
	return withCode(exitUsage, errors.Join(errs...))
}

func (f *rehearseFlags) options(spec testnet.Spec) rehearsal.Options {
	return rehearsal.Options{
		Dir: f.dir, Spec: spec, Transactions: f.transactions, Size: f.size,
		Resume: f.resume, AbortAfter: runbook.Phase(f.abortAt),
	}
}

func (f *rehearseFlags) rehearse(cmd *cobra.Command) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	spec, err := f.shape.resolve(cmd)
	if err != nil {
		return err
	}
	if given := f.shape.given(cmd); len(given) > 0 && !f.resume && f.dir != "" && testnet.Exists(f.dir) {
		return withCode(exitUsage, fmt.Errorf("%s holds a network already, which %s cannot change", f.dir, strings.Join(given, ", ")))
	}
	m := f.show.mode(true)
	if m == modeHeadless {
		signal.Ignore(syscall.SIGHUP)
		f.show.json = f.show.json || !f.show.headless // nobody reads, so somebody parses
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	temporary := f.dir == ""
	if temporary {
		parent, err := os.MkdirTemp("", "raftmig-rehearsal-")
		if err != nil {
			return err
		}
		f.dir = filepath.Join(parent, "net")
		defer func() { err = errors.Join(err, removeIfEmpty(parent)) }()
	}
	say := func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
	r, err := rehearsal.Prepare(ctx, f.options(spec), say)
	if r == nil || r.Net == nil {
		return withCode(exitUsage, err)
	}
	if err != nil {
		return errors.Join(err, r.Net.Down(context.WithoutCancel(ctx), nil))
	}
	snapshot := r.Migrated
	if snapshot == nil {
		snapshot, err = f.drive(ctx, cmd, r, m)
	}
	ended := snapshot != nil && snapshot.Outcome != ""
	var ledgers *validate.Report
	if ended {
		var proveErr error
		ledgers, proveErr = r.Prove(ctx, say)
		if proveErr == nil {
			proveErr = lookAgain(ctx, r, snapshot)
		}
		err = errors.Join(err, proveErr, unproven(ledgers), judged(snapshot))
	} else if err == nil {
		err = judged(snapshot)
	}
	if f.show.json && snapshot != nil {
		err = errors.Join(writeDocument(cmd.OutOrStdout(), snapshot, rehearsal.Transactions(ledgers)), err)
	} else if ledgers != nil {
		printLedgers(cmd.OutOrStdout(), ledgers)
	}
	return errors.Join(err, f.leave(context.WithoutCancel(ctx), cmd, r, leaving{temporary: temporary, ended: ended, good: err == nil}))
}

// judged is the verdict on a run that may have been begun by an earlier command:
// whether a way back was asked for is in its plan, with --abort-at; and only a
// run that nobody attends goes back without being asked at a terminal.
func judged(s *runbook.Snapshot) error {
	return verdict(s, s != nil && (s.Plan.AbortAfter != "" || !s.Plan.Unattended))
}

// lookAgain replaces the matrix of the run's end by what the nodes say now,
// after the last transactions. Orderers that have just been started again elect
// their leaders first.
func lookAgain(ctx context.Context, r *rehearsal.Rehearsal, s *runbook.Snapshot) error {
	e := runbook.Effect{ID: "look#1", Kind: runbook.ReadChannels}
	if s.Outcome == runbook.OutcomeMigrated {
		e.Kind, e.Timeout = runbook.AwaitChannels, 30*time.Second
		e.Expect = &runbook.Expectation{Type: runbook.TypeRaft, State: runbook.StateNormal, Leader: true}
	}
	ev, err := performEffect(ctx, r.Net.Inventory, e)
	if err == nil {
		s.Channels = ev.Channels
	}
	return err
}

// drive drives the run: in this process without a terminal, else in one of its own.
func (f *rehearseFlags) drive(ctx context.Context, cmd *cobra.Command, r *rehearsal.Rehearsal, m mode) (*runbook.Snapshot, error) {
	if m == modeHeadless {
		run, err := runner.Open(runner.Options{
			Network: r.Net.Inventory, Folder: r.Folder(), Arguments: r.Arguments(), Resume: f.resume, AbortAfter: runbook.Phase(f.abortAt), Unattended: true,
		})
		if err != nil {
			return nil, err
		}
		return driveShown(ctx, run, &f.show, signaturesTimeout, cmd)
	}
	client, err := f.connect(ctx, r)
	if err != nil {
		return nil, err
	}
	return f.show.show(ctx, m, attach{
		client: client,
		reattach: func(ctx context.Context) (runbook.Client, error) {
			return runner.Attach(ctx, r.Folder(), r.Arguments())
		},
		folder: r.Folder(),
	}, cmd.OutOrStdout())
}

// connect begins the run in a process of its own, or comes back to the one that
// drives it.
func (f *rehearseFlags) connect(ctx context.Context, r *rehearsal.Rehearsal) (runbook.Client, error) {
	args := []string{"runner", "--network", r.Net.InventoryFile(), "--runs", string(r.Folder())}
	if f.resume {
		args = append(args, "--resume")
	}
	if f.abortAt != "" {
		args = append(args, "--abort-at", f.abortAt)
	} else if f.resume {
		if client, err := runner.Attach(ctx, r.Folder(), r.Arguments()); err == nil {
			return client, nil
		}
	}
	if err := startRunner(ctx, r.Folder(), args); err != nil {
		return nil, err
	}
	return runner.Attach(ctx, r.Folder(), r.Arguments())
}

// leave takes the network down, or leaves it and says how to reach it. A run
// that has not ended owns the network: it may be going on in its own process.
func (f *rehearseFlags) leave(ctx context.Context, cmd *cobra.Command, r *rehearsal.Rehearsal, left leaving) error {
	say := cmd.ErrOrStderr()
	switch {
	case !left.ended:
		stands, look := "nobody drives it", "status"
		if client, err := runner.Attach(ctx, r.Folder(), r.Arguments()); err == nil {
			stands, look = "it goes on by itself until it needs you", "attach"
			_ = client.Close() // it was only asked for
		}
		fmt.Fprintf(say, "The run has not ended: %[3]s. The network is left as it is.\n"+
			"  look at it  raftmig %[4]s%[2]s\n"+
			"  go on       raftmig rehearse --dir %[1]s --resume\n"+
			"  go back     raftmig abort%[2]s\n", runner.Quote(r.Net.Dir), r.Arguments(), stands, look)
		return nil
	case f.keep:
		describeNetwork(say, r.Net)
		return nil
	case left.temporary && left.good:
		return r.Remove(ctx)
	default:
		err := r.Net.Down(ctx, nil)
		if err == nil {
			fmt.Fprintf(say, "The network is stopped and its folder kept: %s\n", r.Net.Dir)
		}
		return err
	}
}

// leaving is how a rehearsal stands when it is left.
type leaving struct {
	temporary bool // in a folder that nobody asked for
	ended     bool // the run has an outcome
	good      bool // nothing went wrong
}

func unproven(rep *validate.Report) error {
	if rep == nil || rep.OK() {
		return nil
	}
	errs := []error{errUnproven}
	for _, c := range rep.Channels {
		for _, p := range c.Problems {
			errs = append(errs, fmt.Errorf("%s: %s", c.Channel, p))
		}
	}
	return errors.Join(errs...)
}

func printLedgers(w io.Writer, rep *validate.Report) {
	fmt.Fprintf(w, "transactions: %d acknowledged, %d committed, %d missing, %d duplicated (counted from the ledgers of all nodes)\n",
		rep.Acknowledged, rep.Committed, rep.Missing, rep.Duplicated)
}

// describeNetwork says how Fabric's own tools reach a network.
func describeNetwork(w io.Writer, n *testnet.Network) {
	first, admin := n.Inventory.Orderers[0], n.Inventory.Administrators()[0]
	var addresses []string
	for _, o := range n.Inventory.Orderers {
		addresses = append(addresses, o.Address)
	}
	fmt.Fprintf(w, `The network is up.
  orderers   %s
  CA file    %s
  admin MSP  %s (%s)
  runbook    raftmig status --network %s
  down       raftmig testnet down --dir %s
With Fabric's peer command:
  export CORE_PEER_LOCALMSPID=%[4]s CORE_PEER_MSPCONFIGPATH=%[3]s
  peer channel fetch config -o %[7]s -c %[8]s --tls --cafile %[2]s
`, strings.Join(addresses, " "), first.TLSRootCAs[0], admin.MSPDir, admin.MSPID,
		n.InventoryFile(), n.Dir, first.Address, n.Inventory.SystemChannel)
}

func removeIfEmpty(dir string) error {
	err := os.Remove(dir)
	if err != nil && (os.IsNotExist(err) || isNotEmpty(err)) {
		return nil
	}
	return err
}

func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST)
}

package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"time"

	"raftmig/fabricops"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
	"raftmig/runbook/driver"
	"raftmig/runbook/journal"
	"raftmig/runbook/remote"
)

// ErrUnfinished is wrapped by the error for a network whose last run has not
// come to its end, where a new run was asked for.
var ErrUnfinished = errors.New("the last run of this network has not ended")

// Options say which run to drive.
type Options struct {
	Network *inventory.Network
	Folder  Folder
	// Arguments name the network to other commands, in hints.
	Arguments Arguments
	// Resume goes on with the last run if that has not ended. A new run is
	// begun if it has, or if there is none.
	Resume bool
	// For a new run: see runbook.Plan.
	AbortAfter   runbook.Phase
	Unattended   bool
	IgnoreChecks []string
	// Operation is what a new run changes on Raft; nil for a migration. With
	// Resume, a run that is to be gone on with must be of this operation; nil
	// goes on with any.
	Operation *runbook.Operation
}

// Runner drives one run. Open, then Run, then Close.
type Runner struct {
	Name    string // of the run
	Resumed bool

	folder   Folder
	args     Arguments
	lock     *journal.Lock
	journal  *journal.Journal
	operator *fabricops.Operator
	driver   *driver.Driver
}

// Open takes the network's lock, and opens or begins a run. Nothing is done to
// the network before Run.
func Open(o Options) (r *Runner, err error) {
	if err := os.MkdirAll(string(o.Folder), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for runs: %w", err)
	}
	r = &Runner{folder: o.Folder, args: o.Arguments}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
			r = nil
		}
	}()
	by, now := Who(), time.Now()
	if r.lock, err = journal.Acquire(o.Folder.lock(), journal.Owner{PID: os.Getpid(), By: by, Since: now}); err != nil {
		return r, &runbook.Problem{
			What: "another run of this network is being driven", Where: string(o.Folder), Why: err.Error(),
			Hint: "attach to it with: " + o.Arguments.of("attach"),
		}
	}
	if r.Name, r.Resumed, err = choose(o, now); err != nil {
		return r, err
	}
	var contents journal.Contents
	if r.journal, contents, err = journal.Open(o.Folder.journal(r.Name)); err != nil {
		return r, err
	}
	if r.operator, err = fabricops.New(o.Network, fabricops.Options{RunDir: o.Folder.RunDir(r.Name), Run: r.Name}); err != nil {
		return r, err
	}
	plan := r.operator.Plan(r.Name)
	plan.AbortAfter, plan.Unattended, plan.IgnoreChecks, plan.Operation = o.AbortAfter, o.Unattended, o.IgnoreChecks, o.Operation
	opts := driver.Options{
		Operator: r.operator, Journal: r.journal, Events: contents.Events,
		Plan: plan, Logs: r.operator.Logs(), By: by,
	}
	if err = opts.CrashFromEnv(os.Getenv); err != nil {
		return r, err
	}
	r.driver, err = driver.New(opts)
	return r, err
}

// choose returns the run to drive: the last one, or a new one.
func choose(o Options, now time.Time) (name string, resumed bool, err error) {
	last, err := o.Folder.Latest()
	if errors.Is(err, ErrNoRun) {
		name, err = o.Folder.newRun(now)
		return name, false, err
	}
	if err != nil {
		return "", false, err
	}
	if begun, err := o.Folder.begun(last); err != nil || !begun {
		return last, false, err
	}
	snapshot, err := o.Folder.Read(last)
	if err != nil {
		return "", false, err
	}
	if snapshot.Outcome != "" && !snapshot.Resumable {
		name, err = o.Folder.newRun(now)
		return name, false, err
	}
	if !o.Resume {
		return "", false, &runbook.Problem{
			What: ErrUnfinished.Error(), Where: o.Folder.RunDir(last),
			Why:  fmt.Sprintf("%s stands in phase %q", title(snapshot.Plan), snapshot.Phase),
			Hint: unfinishedHint(snapshot.Plan, o.Arguments),
		}
	}
	if o.Operation != nil && !reflect.DeepEqual(o.Operation, snapshot.Plan.Operation) {
		return "", false, &runbook.Problem{
			What: ErrUnfinished.Error(), Where: o.Folder.RunDir(last), Why: "it is another one: " + title(snapshot.Plan),
			Hint: "go on with it first: " + o.Arguments.of("run --resume"),
		}
	}
	return last, true, nil
}

func unfinishedHint(p runbook.Plan, a Arguments) string {
	if p.Operation == nil {
		return "go on with it: " + a.of("run --resume") + "; or take the network back to Kafka first: " + a.of("abort")
	}
	return "go on with it first: " + a.of("run --resume")
}

// title says in a few words what a run is about.
func title(p runbook.Plan) string {
	if p.Operation == nil {
		return "the migration"
	}
	return p.Operation.String()
}

// Who is the operator, as user@host.
func Who() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// Client connects to the run within this process.
func (r *Runner) Client() runbook.Client { return r.driver.Client() }

// Run drives the run to its end, serving its socket meanwhile. It ends with
// journal.ErrGone when the folder of the run is deleted; any other error means
// that the run stands still and can be resumed.
func (r *Runner) Run(ctx context.Context) (runbook.Snapshot, error) {
	return r.run(ctx, func(error) error { return nil })
}

// RunDetached is Run for a process that Detach began: it tells the process that
// waits for it as soon as terminals can attach, or why they cannot.
func (r *Runner) RunDetached(ctx context.Context) (runbook.Snapshot, error) {
	return r.run(ctx, func(err error) error { return Started(r.Name, err) })
}

func (r *Runner) run(ctx context.Context, serving func(error) error) (runbook.Snapshot, error) {
	server, err := r.listen()
	if err = errors.Join(err, serving(err)); err != nil {
		if server != nil {
			err = errors.Join(err, server.Close())
		}
		return runbook.Snapshot{}, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	gone := make(chan error, 1)
	go func() { gone <- r.watchFolder(ctx, stop) }()
	snapshot, err := r.driver.Run(ctx)
	stop(nil)
	return snapshot, errors.Join(<-gone, err, server.Close())
}

// goneEvery is the time between two looks whether the run's folder is there.
var goneEvery = 20 * time.Second

// watchFolder ends a run whose journal was deleted: nobody can attach to it or
// resume it, and another run may begin without knowing of it. It returns why.
func (r *Runner) watchFolder(ctx context.Context, stop context.CancelCauseFunc) error {
	tick := time.NewTicker(goneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.journal.Gone(); errors.Is(err, journal.ErrGone) {
			stop(err)
			return err
		}
	}
}

func (r *Runner) listen() (*remote.Server, error) {
	socket := r.folder.Socket(r.Name)
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("making the socket's folder: %w", err)
	}
	if err := r.folder.trusted(socket); err != nil {
		return nil, err
	}
	return remote.Listen(socket, r.driver.Client)
}

// Close frees what the run holds, its lock last.
func (r *Runner) Close() error {
	var errs []error
	if r.operator != nil {
		errs = append(errs, r.operator.Close())
	}
	if r.journal != nil {
		errs = append(errs, r.journal.Close())
	}
	if r.lock != nil {
		errs = append(errs, r.lock.Release())
	}
	return errors.Join(errs...)
}

// Attach connects to the run that is being driven. The arguments name the
// network to other commands, in hints.
func Attach(ctx context.Context, f Folder, a Arguments) (runbook.Client, error) {
	last, err := f.Latest()
	if err != nil {
		return nil, err
	}
	socket := f.Socket(last)
	if err := f.trusted(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	client, err := remote.Dial(ctx, socket)
	if err != nil {
		if s, readErr := f.Read(last); readErr == nil && s.Outcome != "" && !s.Resumable {
			return nil, &runbook.Problem{
				What: "the last run has ended: " + string(s.Outcome), Where: f.RunDir(last),
				Hint: "evidence, and what is left to do: " + a.of("report"),
			}
		}
		return nil, &runbook.Problem{
			What: "the last run is not being driven", Where: f.RunDir(last), Why: err.Error(),
			Hint: "go on with it: " + a.of("run --resume") + "; look at it: " + a.of("status"),
		}
	}
	return client, nil
}

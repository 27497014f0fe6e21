// Package rehearsal puts a rehearsal together: a network, transactions on it,
// a run of the runbook, and the proof from the ledgers that nothing was lost.
// The run itself is the same that a real network gets (package runner).
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"raftmig/fabricops/runner"
	"raftmig/runbook"
	"raftmig/runbook/report"
	"raftmig/testnet"
	"raftmig/testnet/validate"
)

// Options say what is rehearsed.
type Options struct {
	// Dir is the network's folder: a network that was made or cloned and has no
	// run yet is taken as it is, an empty or absent folder gets one of Spec.
	Dir  string
	Spec testnet.Spec
	// Transactions are sent in all: four fifths before the run, the rest after
	// it. Size is the length of one's payload in bytes.
	Transactions int
	Size         int
	// Resume goes on in Dir: with the run if that has not ended, with the proof
	// if it has migrated the network, else with a new run.
	Resume bool
	// AbortAfter practises the way back after that phase.
	AbortAfter runbook.Phase
}

// Rehearsal is a network that is prepared for a run.
type Rehearsal struct {
	Net *testnet.Network
	// Migrated is how the last run of a rehearsal that is resumed ended, if the
	// network is on Raft: nothing is left but to prove it.
	Migrated *runbook.Snapshot

	opts    Options
	ongoing bool // the last run has not ended
}

// Say is told what is being done; it is called one at a time.
type Say func(text string)

// Prepare makes the network, or opens the one that is in Dir already, starts
// it, creates its channels and puts the transactions on it. While a run has not
// ended it only opens the network: which nodes are to run is then the run's
// business.
func Prepare(ctx context.Context, o Options, say Say) (*Rehearsal, error) {
	r := &Rehearsal{opts: o}
	var err error
	switch {
	case o.Resume:
		if r.Net, err = testnet.Open(o.Dir); err == nil {
			err = r.resume()
		}
	case testnet.Exists(o.Dir):
		say("taking the network in " + o.Dir)
		if r.Net, err = testnet.Open(o.Dir); err == nil {
			err = r.fresh()
		}
	default:
		say("making the network in " + o.Dir)
		r.Net, err = testnet.Init(o.Dir, o.Spec)
	}
	if err != nil {
		return nil, err
	}
	for _, note := range r.Net.Manifest.Notes {
		say("note: " + note)
	}
	if r.ongoing {
		return r, nil
	}
	if err := r.Net.Up(ctx, say); err != nil {
		return r, err
	}
	if err := r.Net.CreateChannels(ctx, say); err != nil {
		return r, err
	}
	if r.Migrated != nil {
		return r, nil
	}
	return r, r.load(ctx, o.Transactions-o.Transactions/5, say)
}

// lastRun returns how the last run stands; nil if there was none.
func lastRun(f runner.Folder) (*runbook.Snapshot, error) {
	last, err := f.Latest()
	if errors.Is(err, runner.ErrNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := f.Read(last)
	return &s, err
}

// fresh refuses a network that is there for anything but its first rehearsal.
func (r *Rehearsal) fresh() error {
	s, err := lastRun(r.Folder())
	switch {
	case err != nil:
		return err
	case s != nil:
		return fmt.Errorf("%s has been rehearsed on: --resume goes on with it", r.Net.Dir)
	case r.Net.Manifest.Spec.Consensus == testnet.ConsensusRaft:
		return fmt.Errorf("%s begins on Raft: there is nothing to migrate", r.Net.Dir)
	}
	return nil
}

// resume finds out what is left to do in a network.
func (r *Rehearsal) resume() error {
	s, err := lastRun(r.Folder())
	if err != nil || s == nil {
		return err
	}
	return r.goOn(s)
}

// goOn decides what is left to do after the last run.
func (r *Rehearsal) goOn(last *runbook.Snapshot) error {
	r.ongoing = last.Outcome == "" || last.Resumable
	if last.Outcome == runbook.OutcomeMigrated {
		r.Migrated = last
	}
	wanted, planned := r.opts.AbortAfter, last.Plan.AbortAfter
	switch {
	case wanted == "":
		return nil
	case r.Migrated != nil:
		return fmt.Errorf("%s is on Raft: there is no way back to practise", r.Net.Dir)
	case r.ongoing && wanted != planned && planned == "":
		return fmt.Errorf("the run that goes on in %s was begun without --abort-at, and would migrate the network; raftmig abort%s takes it back", r.Net.Dir, r.Arguments())
	case r.ongoing && wanted != planned:
		return fmt.Errorf("the run that goes on in %s was begun with --abort-at %s", r.Net.Dir, planned)
	}
	return nil
}

// Arguments are what names the rehearsal's network to other commands.
func (r *Rehearsal) Arguments() runner.Arguments {
	return runner.Arguments(" --network " + runner.Quote(r.Net.InventoryFile()))
}

// Folder is where the rehearsal's runs are.
func (r *Rehearsal) Folder() runner.Folder { return runner.DefaultFolder(r.Net.InventoryFile()) }

// load sends transactions until the network's history holds want of them.
func (r *Rehearsal) load(ctx context.Context, want int, say Say) error {
	if want > 0 && len(r.Net.Manifest.Channels) == 0 {
		say("no transactions: there is no application channel")
		return nil
	}
	rep, err := r.Net.Validate()
	if err != nil {
		return err
	}
	missing := want - rep.Sent
	if missing <= 0 {
		return nil
	}
	say(fmt.Sprintf("sending %d transactions", missing))
	_, err = r.Net.Load(ctx, testnet.Traffic{Transactions: missing, Size: r.opts.Size})
	return err
}

// Prove sends the remaining transactions and waits until every acknowledged one
// is in the ledgers of all nodes, or patience is over. The report is the truth
// either way.
func (r *Rehearsal) Prove(ctx context.Context, say Say) (*validate.Report, error) {
	if err := r.load(ctx, r.opts.Transactions, say); err != nil {
		return nil, err
	}
	say("reading the ledgers of all nodes")
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.Net.AwaitAgreement(ctx)
}

// patience is how long acknowledged transactions may take to be in the ledgers
// of all nodes: many batch timeouts.
const patience = 20 * time.Second

// Transactions are the counts of a report as the JSON document has them.
func Transactions(rep *validate.Report) *report.Transactions {
	if rep == nil {
		return nil
	}
	return &report.Transactions{
		Acknowledged: rep.Acknowledged, Committed: rep.Committed,
		Missing: rep.Missing, Duplicated: rep.Duplicated,
	}
}

// Remove takes the network down and removes its folder.
func (r *Rehearsal) Remove(ctx context.Context) error {
	if err := r.Net.Down(ctx, nil); err != nil {
		return err
	}
	return os.RemoveAll(r.Net.Dir)
}

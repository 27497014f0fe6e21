package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"raftmig/runbook"
	"raftmig/runbook/internal/feed"
)

// ErrStopped is returned by Run when its context ended before the run did. The
// run can be resumed.
var ErrStopped = errors.New("stopped before the run ended; it can be resumed")

// Driver drives one run.
type Driver struct {
	opts     Options
	book     *runbook.Runbook
	hub      *feed.Hub
	records  int
	commands chan request
	results  chan runbook.Event
	slots    chan struct{} // one token per effect that is being performed
	effects  sync.WaitGroup
	cancels  map[runbook.EffectID]context.CancelFunc
	ended    chan struct{} // closed when Run returns
	shown    time.Time     // when the clients were given a snapshot last
}

// request is a command and where its answer goes.
type request struct {
	command runbook.Command
	answer  chan error
}

// New prepares a driver. It replays the events; nothing is journaled or
// performed before Run.
func New(o Options) (*Driver, error) {
	o.setDefaults()
	book, err := runbook.Replay(o.Events)
	if err != nil {
		return nil, fmt.Errorf("the journal does not fit this program: %w", err)
	}
	d := &Driver{
		opts: o, book: book, hub: feed.NewHub(), records: len(o.Events),
		commands: make(chan request), results: make(chan runbook.Event),
		slots:   make(chan struct{}, o.Parallel),
		cancels: map[runbook.EffectID]context.CancelFunc{},
		ended:   make(chan struct{}),
	}
	if len(o.Events) > 0 {
		d.hub.Snapshot(book.Snapshot())
	}
	return d, nil
}

// Run drives the run until it has ended or ctx has. It returns the last
// snapshot always, and an error if the run did not come to its end: ErrStopped,
// or what the journal said. Run is called once.
func (d *Driver) Run(ctx context.Context) (runbook.Snapshot, error) {
	defer close(d.ended)
	defer d.hub.Close()
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	err := d.begin()
	if err == nil {
		err = d.loop(ctx, work)
	}
	cancel()
	err = errors.Join(err, d.drain(err == nil || errors.Is(err, ErrStopped)))
	s := d.book.Snapshot()
	d.hub.Snapshot(s)
	return s, err
}

// begin steps the first event of this process.
func (d *Driver) begin() error {
	if !d.book.Snapshot().Resumable && len(d.opts.Events) > 0 {
		return nil
	}
	ev := runbook.Event{Kind: runbook.EventResumed, At: d.opts.Now(), By: d.opts.By}
	if len(d.opts.Events) == 0 {
		ev.Kind, ev.Plan = runbook.EventStarted, &d.opts.Plan
	}
	if err := d.book.Step(ev); err != nil {
		return fmt.Errorf("beginning the run: %w", err)
	}
	return nil
}

// interval is the least time between two snapshots for the clients. A run with
// many channels has many events, and a picture more often helps nobody.
const interval = 100 * time.Millisecond

func (d *Driver) loop(ctx, work context.Context) error {
	logs := d.opts.Logs
	answer := make(chan error, 1) // of the command just obeyed; nobody's at first
	show := time.NewTimer(0)
	defer show.Stop()
	stale := true // the clients have not seen the newest state
	obeyed := false
	for {
		err := d.ready(work)
		if obeyed && err == nil { // whoever connects after the answer sees what the command did
			d.show()
		}
		answer <- err // a command is granted once it is in the journal
		if err != nil {
			return err
		}
		if d.book.Outcome() != "" {
			return nil
		}
		if !stale {
			stale = true
			show.Reset(time.Until(d.shown.Add(interval)))
		}
		answer, obeyed = make(chan error, 1), false
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return ErrStopped
			case <-show.C:
				stale = false
				d.show()
			case line, ok := <-logs:
				if !ok {
					logs = nil
					continue
				}
				d.hub.Log(line)
			case ev := <-d.results:
				if err := d.finished(ev); err != nil {
					return err
				}
				waiting = false
			case rq := <-d.commands:
				if err := d.obey(rq.command); err != nil {
					rq.answer <- err
					continue
				}
				answer, obeyed, waiting = rq.answer, true, false
			}
		}
	}
}

// show gives the clients the newest state.
func (d *Driver) show() {
	d.shown = time.Now()
	d.hub.Snapshot(d.book.Snapshot())
}

// ready journals what is ready and begins the effects.
func (d *Driver) ready(work context.Context) error {
	tick := runbook.Event{Kind: runbook.EventTick, At: d.opts.Now()}
	if err := d.book.Step(tick); err != nil {
		return err
	}
	rd := d.book.Ready()
	if err := d.journal(rd.Events); err != nil {
		return err
	}
	d.book.Advance(rd)
	for _, id := range rd.Cancel {
		if cancel, ok := d.cancels[id]; ok {
			cancel()
		}
	}
	for _, e := range rd.Effects {
		ctx, cancel := d.deadline(work, e)
		d.cancels[e.ID] = cancel
		d.effects.Go(func() { d.perform(ctx, work, e) })
	}
	return nil
}

func (d *Driver) journal(events []runbook.Event) error {
	if d.opts.BeforeAppend == nil && d.opts.AfterAppend == nil {
		d.records += len(events)
		return d.opts.Journal.Append(events...)
	}
	for _, ev := range events {
		d.records++
		if d.opts.BeforeAppend != nil {
			d.opts.BeforeAppend(d.records)
		}
		if err := d.opts.Journal.Append(ev); err != nil {
			return err
		}
		if d.opts.AfterAppend != nil {
			d.opts.AfterAppend(d.records)
		}
	}
	return nil
}

// finished takes in the end of an effect.
func (d *Driver) finished(ev runbook.Event) error {
	if cancel, ok := d.cancels[ev.ID]; ok {
		cancel()
		delete(d.cancels, ev.ID)
	}
	if err := d.book.Step(ev); err != nil {
		return fmt.Errorf("taking in the result of %s: %w", ev.ID, err)
	}
	return nil
}

// obey steps a client's command.
func (d *Driver) obey(c runbook.Command) error {
	switch c.Kind {
	case runbook.EventConfirmed, runbook.EventAbort, runbook.EventRetry, runbook.EventGiveUp:
		return d.book.Step(runbook.Event{Kind: c.Kind, At: d.opts.Now(), Step: c.Step, Text: c.Text, By: c.By})
	default:
		return fmt.Errorf("%w: %q is no command", runbook.ErrRefused, c.Kind)
	}
}

// drain waits for the effects that were cancelled. Results that are successes
// all the same are kept if the journal still takes them, so that the next run
// need not find them out.
func (d *Driver) drain(keep bool) error {
	done := make(chan struct{})
	go func() {
		d.effects.Wait()
		close(done)
	}()
	var first error
	for {
		select {
		case ev := <-d.results:
			if !keep || first != nil || ev.Kind != runbook.EventDone {
				continue
			}
			if first = d.finished(ev); first != nil {
				continue
			}
			rd := d.book.Ready()
			// What would be begun now is left to the next run.
			events := rd.Events[:len(rd.Events)-len(rd.Effects)]
			if first = d.journal(events); first == nil {
				d.book.Advance(runbook.Ready{Events: events})
			}
		case <-done:
			return first
		}
	}
}

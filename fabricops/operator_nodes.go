package fabricops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"raftmig/fabricops/backup"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/node"
	"raftmig/runbook"
)

// Time limits of stopping and starting a process.
const (
	defaultControl = time.Minute // as inventory.Control says
	controlReserve = 30 * time.Second
	manualPatience = 12 * time.Hour // for what people do by hand
	statusTimeout  = 10 * time.Second
)

// tierOrder is the order in which tiers are listed.
var tierOrder = []runbook.Tier{runbook.TierOrderers, runbook.TierBrokers, runbook.TierZooKeeper}

// process is one process and what controls it.
type process struct {
	inventory.Process
	ctl node.Controller
	// asked is the report of the effect that waits for the operator's hands.
	asked atomic.Pointer[report]
}

// tell passes on what a person is asked to do.
func (p *process) tell(text string) {
	if r := p.asked.Load(); r != nil {
		r.text(text)
	}
}

// patience is how long stopping or starting the process may take.
func (p *process) patience(kind runbook.EffectKind) time.Duration {
	if p.Control.Kind == inventory.ControlManual {
		return manualPatience
	}
	d := p.Control.StopTimeout
	if kind == runbook.StartNodes {
		d = p.Control.StartTimeout
	}
	if d == 0 {
		d = defaultControl
	}
	return d + controlReserve
}

func controllers(inv *inventory.Network, create func(runbook.Tier, inventory.Process) (node.Controller, error)) (map[runbook.Tier][]*process, error) {
	tiers := map[runbook.Tier][]*process{}
	add := func(tier runbook.Tier, in inventory.Process) (err error) {
		p := &process{Process: in}
		if create != nil {
			p.ctl, err = create(tier, in)
		} else {
			p.ctl, err = node.New(in, node.Options{Tier: tier, Tell: p.tell})
		}
		if err != nil {
			return fmt.Errorf("control of %s: %w", in.Name, err)
		}
		tiers[tier] = append(tiers[tier], p)
		return nil
	}
	var errs []error
	for _, o := range inv.Orderers {
		errs = append(errs, add(runbook.TierOrderers, o.Process))
	}
	for _, p := range inv.Brokers {
		errs = append(errs, add(runbook.TierBrokers, p))
	}
	for _, p := range inv.ZooKeeper {
		errs = append(errs, add(runbook.TierZooKeeper, p))
	}
	return tiers, errors.Join(errs...)
}

// states asks for the state of all processes that an effect is about, in parallel.
func (o *Operator) states(ctx context.Context, e runbook.Effect) ([]runbook.ProcessState, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var all []*process
	var out []runbook.ProcessState
	for _, t := range tiersOf(e) {
		for _, p := range o.named(t, e.Nodes) {
			all = append(all, p)
			out = append(out, runbook.ProcessState{Node: p.Name, Tier: t})
		}
	}
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() {
			s, err := p.ctl.Status(ctx)
			if err != nil {
				errs[i] = fmt.Errorf("%s: its state cannot be told: %w", p.Name, err)
				return
			}
			s.Node, s.Tier = out[i].Node, out[i].Tier
			out[i] = s
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

// named returns the processes of a tier, or those of them that nodes names.
func (o *Operator) named(t runbook.Tier, nodes []string) []*process {
	if len(nodes) == 0 {
		return o.tiers[t]
	}
	var out []*process
	for _, p := range o.tiers[t] {
		if slices.Contains(nodes, p.Name) {
			out = append(out, p)
		}
	}
	return out
}

func tiersOf(e runbook.Effect) []runbook.Tier {
	if e.Tier == "" {
		return tierOrder
	}
	return []runbook.Tier{e.Tier}
}

func (o *Operator) readProcesses(ctx context.Context, e runbook.Effect) (runbook.Evidence, error) {
	states, err := o.states(ctx, e)
	up := 0
	for _, s := range states {
		if s.Running {
			up++
		}
	}
	return runbook.Evidence{Summary: fmt.Sprintf("%d of %d processes run", up, len(states)), Processes: states}, err
}

// all performs a call on every process that an effect is about at once.
func (o *Operator) all(ctx context.Context, e runbook.Effect, r *report, verb string, call func(*process) error) error {
	list := o.named(e.Tier, e.Nodes)
	r.total(int64(len(list)), string(e.Tier))
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, p := range list {
		wg.Go(func() {
			p.asked.Store(r)
			defer p.asked.Store(nil)
			if err := call(p); err != nil {
				errs[i] = fmt.Errorf("%s: %w", p.Name, err)
				return
			}
			r.step(p.Name + ": " + verb)
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

func (o *Operator) stopNodes(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	before, err := o.states(ctx, e)
	if err == nil && !anyRunning(before) {
		return runbook.Evidence{Summary: "all were down", AlreadyDone: true, Processes: before}, nil
	}
	err = o.all(ctx, e, r, "down", func(p *process) error { return p.ctl.Stop(ctx) })
	o.matrix.Forget()
	after, stateErr := o.states(ctx, e)
	for _, s := range after {
		if !s.Running {
			o.logs.Stopped(s.Node)
		}
	}
	if err := errors.Join(err, stateErr); err != nil {
		return runbook.Evidence{Processes: after}, err
	}
	for _, s := range after {
		if s.Running {
			return runbook.Evidence{Processes: after}, &runbook.Problem{
				What: "the process is not down", Where: s.Node, Why: "it was stopped, and runs again",
				Hint: "Turn off whatever restarts it (restart policy, supervisor), stop it, and retry.",
			}
		}
	}
	return runbook.Evidence{Summary: counted(len(after), e.Tier) + " proven down", Processes: after}, nil
}

func (o *Operator) startNodes(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	before, _ := o.states(ctx, e) // unknown counts as down: starting what is up changes nothing
	already := len(before) > 0
	for _, s := range before {
		already = already && s.Running
	}
	o.matrix.Forget()
	err := o.all(ctx, e, r, "ready", func(p *process) error { return p.ctl.Start(ctx) })
	for errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && e.Timeout > 0 {
		// The effect has more time than one start: a new consenter copies ledgers.
		r.text("not ready yet: " + err.Error())
		err = o.all(ctx, e, r, "ready", func(p *process) error { return p.ctl.Start(ctx) })
	}
	if err == nil && e.Tier == runbook.TierBrokers {
		// The first broker was ready before there was a leader to follow. Now that
		// all are there, each is asked once more whether it has caught up.
		err = o.all(ctx, e, r, "in sync", func(p *process) error {
			if p.Control.Ready == "" {
				return nil
			}
			return p.ctl.Start(ctx)
		})
	}
	for _, n := range o.pool.Nodes() {
		o.pool.Wake(n)
	}
	after, stateErr := o.states(ctx, e)
	ev := runbook.Evidence{Summary: counted(len(after), e.Tier) + " ready", AlreadyDone: already, Processes: after}
	if err := errors.Join(err, stateErr); err != nil {
		o.addDeaths(&ev)
		return ev, err
	}
	return ev, nil
}

// counted says how many processes of a tier there are: "1 broker", "3 orderers".
func counted(n int, t runbook.Tier) string {
	name := string(t)
	if n == 1 {
		name = strings.TrimSuffix(name, "s")
	}
	return fmt.Sprintf("%d %s", n, name)
}

func anyRunning(states []runbook.ProcessState) bool {
	for _, s := range states {
		if s.Running {
			return true
		}
	}
	return false
}

// allDown refuses to touch data while a process that uses it may run.
func (o *Operator) allDown(ctx context.Context, what string, tier runbook.Tier) error {
	states, err := o.states(ctx, runbook.Effect{Tier: tier})
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Running {
			return &runbook.Problem{
				What: "the process runs", Where: s.Node, Why: what + " while processes use the data would give damaged data",
				Hint: "Stop it and retry.",
			}
		}
	}
	return nil
}

func (o *Operator) takeBackup(ctx context.Context, r *report) (runbook.Evidence, error) {
	if err := o.allDown(ctx, "copying", ""); err != nil {
		return runbook.Evidence{}, err
	}
	receipt, already, err := o.store.Take(ctx, r.bytes(o.now))
	if err != nil {
		return runbook.Evidence{}, err
	}
	return runbook.Evidence{
		Summary: fmt.Sprintf("%d files, %d bytes in %s", receipt.Files, receipt.Bytes, receipt.Dir), AlreadyDone: already, Backup: &receipt,
	}, nil
}

func (o *Operator) verifyBackup(ctx context.Context, r *report) (runbook.Evidence, error) {
	receipt, err := o.store.Verify(ctx, r.bytes(o.now))
	if err != nil {
		return runbook.Evidence{}, err
	}
	return runbook.Evidence{Summary: fmt.Sprintf("%d files, %d bytes read back and right", receipt.Files, receipt.Bytes), Backup: &receipt}, nil
}

func (o *Operator) restoreBackup(ctx context.Context, r *report) (runbook.Evidence, error) {
	if err := o.allDown(ctx, "restoring", ""); err != nil {
		return runbook.Evidence{}, err
	}
	o.matrix.Forget()
	receipt, already, err := o.store.Restore(ctx, r.bytes(o.now))
	if err != nil {
		return runbook.Evidence{}, err
	}
	return runbook.Evidence{Summary: fmt.Sprintf("%d files restored from %s", receipt.Files, receipt.Dir), AlreadyDone: already, Backup: &receipt}, nil
}

func (o *Operator) removeRaftState(ctx context.Context) (runbook.Evidence, error) {
	if err := o.allDown(ctx, "removing Raft state", runbook.TierOrderers); err != nil {
		return runbook.Evidence{}, err
	}
	total := 0
	for i := range o.inv.Orderers {
		removed, err := backup.RemoveRaftState(&o.inv.Orderers[i])
		total += len(removed)
		if err != nil {
			return runbook.Evidence{}, err
		}
	}
	return runbook.Evidence{Summary: fmt.Sprintf("%d WAL and snapshot folders removed", total), AlreadyDone: total == 0}, nil
}

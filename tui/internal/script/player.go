package script

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"raftmig/runbook"
)

// Config is how a run is played.
type Config struct {
	Shape Shape
	// FailAt fails this step once; a retry succeeds.
	FailAt runbook.StepID
	// LoseAt ends the connection during this step.
	LoseAt runbook.StepID
	// Unattended passes the gates.
	Unattended bool
	// Now is the clock, Wait lets time pass; it returns early when ctx ends.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration)
	// Noise adds log lines while steps run.
	Noise bool
}

// Virtual is a clock on which time passes only by waiting.
func Virtual() (now func() time.Time, wait func(context.Context, time.Duration)) {
	var mu sync.Mutex
	at := Begin
	return func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return at
		}, func(_ context.Context, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			at = at.Add(d)
		}
}

// Player is a runbook.Client whose run is made up.
type Player struct {
	cfg      Config
	updates  chan runbook.Update
	commands chan request
	cancel   context.CancelFunc
	ended    chan struct{}

	s      *runbook.Snapshot
	failed bool
}

type request struct {
	c     runbook.Command
	reply chan error
}

var errRefused = errors.New("the runbook refuses")

// Play starts a run. It ends when it is over, or at Close.
func Play(ctx context.Context, cfg Config) *Player {
	ctx, cancel := context.WithCancel(ctx)
	p := &Player{cfg: cfg, updates: make(chan runbook.Update), commands: make(chan request), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		defer close(p.updates)
		p.run(ctx)
	}()
	return p
}

// Updates implements runbook.Client.
func (p *Player) Updates() <-chan runbook.Update { return p.updates }

// Close implements runbook.Client. The made-up run ends with its only client.
func (p *Player) Close() error {
	p.cancel()
	<-p.ended
	return nil
}

// Send implements runbook.Client.
func (p *Player) Send(ctx context.Context, c runbook.Command) error {
	r := request{c: c, reply: make(chan error, 1)}
	select {
	case p.commands <- r:
		return <-r.reply
	case <-p.ended:
		return errors.New("the run has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Player) run(ctx context.Context) {
	p.s = At(p.cfg.Shape, runbook.StepReach)
	p.s.StartedAt, p.s.Active = p.cfg.Now(), nil
	p.s.Findings = nil
	for i := range p.s.Steps {
		p.s.Steps[i].Status, p.s.Steps[i].StartedAt = runbook.StatusPending, time.Time{}
	}
	for i := 0; i < len(p.s.Steps) && ctx.Err() == nil; i++ {
		d := forward[min(i, len(forward)-1)]
		back := i >= len(forward)
		if back {
			d = backward[i-len(forward)]
		}
		switch p.step(ctx, i, d, back) {
		case aborted:
			i = p.turnBack() - 1
		case stopped:
			p.finish(ctx, runbook.OutcomeFailed)
			return
		case lostLine:
			return
		}
	}
	if ctx.Err() != nil {
		return
	}
	if len(p.s.Steps) > len(forward) {
		p.finish(ctx, runbook.OutcomeRolledBack)
		return
	}
	p.finish(ctx, runbook.OutcomeMigrated)
}

type ending int

const (
	finished ending = iota
	aborted
	stopped
	lostLine
)

func (p *Player) step(ctx context.Context, i int, d stepDef, back bool) ending {
	st := &p.s.Steps[i]
	p.s.Current, p.s.Phase = i, st.Phase
	p.note(d.id, back)
	st.StartedAt, st.EndedAt = p.cfg.Now(), time.Time{}
	if d.kind == "" {
		return p.gate(ctx, i, d)
	}
	st.Status = runbook.StatusRunning
	e := runbook.Effect{ID: runbook.EffectID(string(d.id) + "#1"), Step: d.id, Kind: d.kind, Tier: d.tier, Channel: "settlement", Change: runbook.ChangeEnterMaintenance}
	p.s.Active = []runbook.Effect{e}
	p.publish(ctx)
	if end := p.work(ctx, d, e); end != finished {
		st.EndedAt = p.cfg.Now()
		return end
	}
	if d.id == p.cfg.FailAt && !p.failed {
		p.failed = true
		if end := p.standStill(ctx, st); end != finished {
			return end
		}
		return p.step(ctx, i, d, back)
	}
	if d.id == runbook.StepPreflight {
		p.s.Findings = findings()
	}
	p.s.Channels = matrix(p.cfg.Shape, next(d.id, back), back)
	p.s.ObservedAt = p.cfg.Now()
	st.Status, st.EndedAt = runbook.StatusDone, p.cfg.Now()
	st.Evidence = []runbook.Evidence{{Summary: d.summary, Seconds: st.EndedAt.Sub(st.StartedAt).Seconds(), Channels: p.s.Channels}}
	p.s.Active = nil
	p.publish(ctx)
	return finished
}

// work lets the step's time pass, with progress, and takes aborts.
func (p *Player) work(ctx context.Context, d stepDef, e runbook.Effect) ending {
	names := channelNames(p.cfg.Shape.Channels)
	for k, name := range names {
		p.cfg.Wait(ctx, d.estimate/time.Duration(len(names)))
		if d.id == p.cfg.LoseAt {
			return lostLine
		}
		u := runbook.Update{Progress: &runbook.Progress{Effect: e.ID, Done: int64(k + 1), Total: int64(len(names)), Unit: "channels", Text: name + " on every orderer"}}
		if p.cfg.Noise {
			u.Log = p.noise(d, k, name)
		}
		select {
		case p.updates <- u:
		case r := <-p.commands:
			if p.answer(r, false) == aborted {
				return aborted
			}
		case <-ctx.Done():
			return stopped
		}
	}
	return finished
}

func (p *Player) noise(d stepDef, k int, name string) []runbook.LogLine {
	now := p.cfg.Now()
	if d.id == runbook.StepRestartLeaders {
		l := runbook.LogLine{Node: "orderer0", At: now, Level: "INFO", Channel: name, Leader: &runbook.LeaderChange{Channel: name, To: 1, RaftID: 1},
			Text: fmt.Sprintf("%s 005a INFO [orderer.consensus.etcdraft] run -> Raft leader changed: 0 -> 1 channel=%s node=1", now.UTC().Format("2006-01-02 15:04:05.000 UTC"), name)}
		return []runbook.LogLine{l}
	}
	all := Log()[:5]
	l := all[k%len(all)]
	if l.Level == "WARN" && d.estimate < 8*time.Second {
		l = all[0]
	}
	l.Text = now.UTC().Format("2006-01-02 15:04:05.000 UTC") + l.Text[len("2006-01-02 15:04:05.000 UTC"):]
	l.At = now
	return []runbook.LogLine{l}
}

func (p *Player) gate(ctx context.Context, i int, d stepDef) ending {
	if d.id == runbook.StepExitConfirm {
		SevereGate(p.s)
	} else {
		wait(p.s, *plainGate().Snapshot.Gate)
	}
	if p.cfg.Unattended {
		p.s.Gate = nil
		st := &p.s.Steps[i]
		st.Status, st.EndedAt, st.Note = runbook.StatusDone, p.cfg.Now(), "passed without asking"
		p.publish(ctx)
		return finished
	}
	p.publish(ctx)
	for {
		select {
		case r := <-p.commands:
			switch p.answer(r, false) {
			case aborted:
				p.s.Gate = nil
				return aborted
			case finished:
				if r.c.Kind == runbook.EventConfirmed && p.s.Gate == nil {
					st := &p.s.Steps[i]
					st.Status, st.EndedAt, st.Note = runbook.StatusDone, p.cfg.Now(), "confirmed by "+r.c.By
					p.publish(ctx)
					return finished
				}
			}
		case <-ctx.Done():
			return stopped
		}
	}
}

func (p *Player) standStill(ctx context.Context, st *runbook.StepView) ending {
	fail(p.s, &runbook.Problem{What: "it is not proven on every orderer", Where: "trade-finance on orderer1", Why: "context deadline exceeded after 30s",
		Hint: "Make orderer1 reachable and retry."})
	st.EndedAt = p.cfg.Now()
	p.publish(ctx)
	for {
		select {
		case r := <-p.commands:
			end := p.answer(r, true)
			if end != finished || r.c.Kind == runbook.EventRetry {
				p.s.Problem, st.Problem = nil, nil
				return end
			}
		case <-ctx.Done():
			return stopped
		}
	}
}

// answer takes a command or refuses it.
func (p *Player) answer(r request, still bool) ending {
	refuse := func(why string) ending {
		r.reply <- fmt.Errorf("%w: %s", errRefused, why)
		return finished
	}
	switch r.c.Kind {
	case runbook.EventConfirmed:
		g := p.s.Gate
		if g == nil || g.Step != r.c.Step {
			return refuse("nothing waits to be confirmed")
		}
		if g.Typed != "" && r.c.Text != g.Typed {
			return refuse(fmt.Sprintf("type %q to confirm", g.Typed))
		}
		p.s.Gate = nil
	case runbook.EventAbort:
		if !p.s.AbortOffered {
			return refuse(strings.TrimPrefix(p.s.AbortNote, "No way back: "))
		}
		r.reply <- nil
		return aborted
	case runbook.EventRetry, runbook.EventGiveUp:
		if !still {
			return refuse("no step has failed")
		}
		if r.c.Kind == runbook.EventGiveUp {
			r.reply <- nil
			return stopped
		}
	}
	r.reply <- nil
	return finished
}

// turnBack leaves the way forward and says at which step the way back begins.
func (p *Player) turnBack() int {
	for i := range p.s.Steps {
		st := &p.s.Steps[i]
		if st.Status != runbook.StatusDone && st.Status != runbook.StatusFailed {
			st.Status, st.Note = runbook.StatusSkipped, "not reached: the run was rolled back"
		}
	}
	first := len(p.s.Steps)
	for _, d := range backward {
		p.s.Steps = append(p.s.Steps, runbook.StepView{ID: d.id, Phase: runbook.PhaseRollback, Status: runbook.StatusPending, Explain: explain(d)})
	}
	p.s.Active = nil
	return first
}

func (p *Player) note(id runbook.StepID, back bool) {
	b := build(p.cfg.Shape, id, back)
	p.s.AbortOffered, p.s.AbortNote = b.AbortOffered, b.AbortNote
}

func (p *Player) finish(ctx context.Context, o runbook.Outcome) {
	p.s.Outcome, p.s.EndedAt, p.s.Current, p.s.Active, p.s.Gate = o, p.cfg.Now(), -1, nil, nil
	p.s.AbortOffered, p.s.AbortNote = false, "No way back: the run has ended."
	p.publish(ctx)
}

func (p *Player) publish(ctx context.Context) {
	c := *p.s // what hangs below the steps is replaced, never changed
	c.Steps = slices.Clone(p.s.Steps)
	for {
		select {
		case p.updates <- runbook.Update{Snapshot: &c, Clients: 1}:
			return
		case r := <-p.commands:
			r.reply <- fmt.Errorf("%w: busy", errRefused)
		case <-ctx.Done():
			return
		}
	}
}

func next(id runbook.StepID, back bool) runbook.StepID {
	if back {
		return id
	}
	for i, d := range forward {
		if d.id == id && i+1 < len(forward) {
			return forward[i+1].id
		}
	}
	return id
}

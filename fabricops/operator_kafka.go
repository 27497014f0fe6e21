package fabricops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/runbook"
)

// Patience with a Kafka of which no broker answers. One that is slow, or has
// lost some of its brokers, answers and is waited for as long as the effect may
// take.
const (
	// kafkaSilence is for brokers that run, or of which that is not known. To
	// start one takes 10 to 30 s on real machines.
	kafkaSilence = 45 * time.Second
	// kafkaDead is for brokers that are raftmig's own processes, as in a
	// rehearsal, and do not run: nothing restarts them but raftmig or a person.
	kafkaDead = 15 * time.Second
	// kafkaLook is the time between two questions.
	kafkaLook = time.Second
)

// kafkaWatch tells since when Kafka has been silent. Effects that are performed
// at the same time share what it finds. It is safe for concurrent use.
type kafkaWatch struct {
	answers func(context.Context) error
	// dead tells whether all broker processes are known not to run.
	dead func(context.Context) bool
	now  func() time.Time

	mu     sync.Mutex
	looked time.Time
	state  silence
}

// silence is what is known of a Kafka that does not answer.
type silence struct {
	since time.Time // zero if it answers
	why   string
	bound time.Duration // that it is waited for
}

// watchKafka returns the watch of an operator's network, nil if it has no
// brokers that can be asked.
func watchKafka(o *Operator) *kafkaWatch {
	cluster, err := kafkaops.Of(o.inv)
	if err != nil || len(o.tiers[runbook.TierBrokers]) == 0 {
		return nil
	}
	return &kafkaWatch{answers: cluster.Answers, dead: o.brokersDead, now: o.now}
}

// brokersDead tells whether it is certain that no broker runs or is starting:
// raftmig's own processes are known by their IDs. What a command says of a
// service may hold of one that is starting, and an address that refuses does.
func (o *Operator) brokersDead(ctx context.Context) bool {
	for _, p := range o.tiers[runbook.TierBrokers] {
		if p.Control.Kind != inventory.ControlProcess {
			return false
		}
	}
	states, err := o.states(ctx, runbook.Effect{Tier: runbook.TierBrokers})
	return err == nil && !anyRunning(states)
}

// look asks Kafka, unless it was asked a moment ago.
func (w *kafkaWatch) look(ctx context.Context) silence {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if now.Sub(w.looked) < kafkaLook {
		return w.state
	}
	if now.Sub(w.looked) > 2*kafkaSilence { // nobody looked: what was found then is no silence up to now
		w.state = silence{}
	}
	err := w.answers(ctx)
	if ctx.Err() != nil {
		return w.state
	}
	w.looked = w.now()
	if err == nil {
		w.state = silence{}
		return w.state
	}
	if w.state.since.IsZero() {
		w.state.since = now
	}
	w.state.why, w.state.bound = err.Error(), kafkaSilence
	if w.dead(ctx) {
		w.state.bound = kafkaDead
	}
	return w.state
}

// needsKafka reports whether an effect cannot reach its goal without Kafka: it
// orders, waits for what was ordered or compares with the topics, in a phase in
// which the orderers run on Kafka.
func needsKafka(e runbook.Effect) bool {
	switch e.Kind {
	case runbook.SubmitUpdate, runbook.AwaitChannels, runbook.ProveFlush:
	case runbook.StartNodes:
		if e.Tier != runbook.TierOrderers {
			return false
		}
	default:
		return false
	}
	phase, _, _ := strings.Cut(string(e.Step), ".")
	switch runbook.Phase(phase) {
	case runbook.PhaseMaintenance, runbook.PhaseBackup, runbook.PhaseSwitch, runbook.PhaseRollback:
		return true
	default:
		return false
	}
}

// whileKafkaAnswers performs an effect. If it needs Kafka and Kafka does not
// answer, that is told at once, and the effect is ended when it has not answered
// for longer than the bound.
func (o *Operator) whileKafkaAnswers(ctx context.Context, e runbook.Effect, r *report, do func(context.Context) (runbook.Evidence, error)) (runbook.Evidence, error) {
	if o.kafka == nil || !needsKafka(e) {
		return do(ctx)
	}
	ctx, end := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		if p := o.kafka.watch(ctx, r); p != nil {
			end(p)
		}
	})
	ev, err := do(ctx)
	var silent *runbook.Problem
	// What waits for a condition is cut short without an error of its own; other
	// effects that succeed in that moment have.
	waits := e.Kind == runbook.AwaitChannels || e.Kind == runbook.ProveFlush
	if (err != nil || waits) && errors.As(context.Cause(ctx), &silent) {
		if err != nil {
			silent.Why += "; " + oneLine(err)
		}
		err = silent
	}
	end(nil)
	watching.Wait()
	return ev, err
}

// watch looks at Kafka until ctx ends, or until it has been silent for too long:
// then it returns the problem.
func (w *kafkaWatch) watch(ctx context.Context, r *report) *runbook.Problem {
	tick := time.NewTicker(kafkaLook)
	defer tick.Stop()
	silent := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s := w.look(ctx)
		lasted := w.now().Sub(s.since).Round(time.Second)
		switch {
		case ctx.Err() != nil:
			return nil
		case s.since.IsZero() && silent:
			silent = false
			r.over("Kafka answers again")
		case s.since.IsZero():
		case lasted >= s.bound:
			return &runbook.Problem{
				What: fmt.Sprintf("Kafka has not answered for %s", s.bound), Why: s.why,
				Hint: "Start the brokers and retry, or go back: the way back starts them itself.", Ref: guideBackup,
			}
		default:
			silent = true
			r.alarm(fmt.Sprintf("Kafka does not answer, for %s now; waiting up to %s for a broker (%s)", lasted, s.bound, s.why))
		}
	}
}

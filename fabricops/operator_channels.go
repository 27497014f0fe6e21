package fabricops

import (
	"context"
	"fmt"
	"time"

	"raftmig/fabricops/channelcfg"
	"raftmig/runbook"
)

// logPatience bounds the wait for logs that are long or out of reach.
const logPatience = 5 * time.Second

func (o *Operator) gatherFacts(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	o.needLeaders(ctx) // versions come from the logs too
	if e.Operation != nil {
		f, err := o.facts.GatherOnRaft(ctx, e.Channels, *e.Operation, e.Metadata, r.text)
		if err != nil {
			return runbook.Evidence{}, err
		}
		return runbook.Evidence{Summary: fmt.Sprintf("%d orderers, %d channels observed", len(f.Orderers), len(f.Channels)), Facts: f}, nil
	}
	f, findings, err := o.facts.Gather(ctx, e.Channels, r.text)
	if err != nil {
		return runbook.Evidence{Findings: findings}, err
	}
	return runbook.Evidence{
		Summary: fmt.Sprintf("%d orderers, %d channels observed", len(f.Orderers), len(f.Channels)),
		Facts:   f, Findings: append(findings, o.logFindings()...),
	}, nil
}

// logFindings says which logs cannot tell leaders: an error where the metrics
// cannot stand in, for the restart could then not be proven.
func (o *Operator) logFindings() []runbook.Finding {
	var out []runbook.Finding
	for _, n := range o.inv.Orderers {
		why := o.logs.Trouble(n.Name)
		if why == "" {
			continue
		}
		f := runbook.Finding{
			Check: "log.leaders", Severity: runbook.SeverityWarn,
			Summary:  n.Name + ": its log cannot tell Raft leaders; the metrics of its operations endpoint must",
			Evidence: []string{n.Log + ": " + why},
			Hint:     "Make the log readable, at level INFO for orderer.consensus.etcdraft.",
		}
		if n.Operations == "" {
			f.Severity = runbook.SeverityError
			f.Summary = n.Name + ": its log cannot tell Raft leaders, and it has no operations endpoint"
		}
		out = append(out, f)
	}
	return out
}

func (o *Operator) listChannels(ctx context.Context, e runbook.Effect) (runbook.Evidence, error) {
	find := o.facts.List
	if e.Operation != nil {
		find = func(ctx context.Context) (*runbook.ChannelList, []runbook.Finding, error) {
			return o.facts.ListOnRaft(ctx, *e.Operation)
		}
	}
	list, findings, err := find(ctx)
	if err != nil {
		return runbook.Evidence{Findings: findings}, err
	}
	return runbook.Evidence{
		Summary:     fmt.Sprintf("%d channels from %d sources", len(list.Names), len(list.Sources)),
		ChannelList: list, Findings: findings,
	}, nil
}

// channelsOf returns the channels of a reading effect; none named means all.
func (o *Operator) channelsOf(ctx context.Context, e runbook.Effect) ([]string, error) {
	if len(e.Channels) > 0 {
		return e.Channels, nil
	}
	list, _, err := o.facts.List(ctx)
	if err != nil {
		return nil, err
	}
	return list.Names, nil
}

func (o *Operator) readChannels(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	names, err := o.channelsOf(ctx, e)
	if err != nil {
		return runbook.Evidence{}, err
	}
	o.needLeaders(ctx)
	r.total(int64(len(names)), "channels")
	states := o.matrix.Only(e.Nodes).Read(ctx, names, func(c runbook.ChannelState) {
		r.step(fmt.Sprintf("%s: %d of %d nodes", c.Name, readable(c), len(c.Nodes)))
	})
	return runbook.Evidence{Summary: summary(states), Channels: states}, nil
}

// awaitChannels returns what was read last, whether the expectation holds or
// the time is over; the runbook judges the evidence.
func (o *Operator) awaitChannels(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	names, err := o.channelsOf(ctx, e)
	if err != nil {
		return runbook.Evidence{}, err
	}
	expect := runbook.Expectation{}
	if e.Expect != nil {
		expect = *e.Expect
	}
	o.needLeaders(ctx)
	for _, n := range o.pool.Nodes() {
		o.pool.Wake(n)
	}
	states, open := o.matrix.Only(e.Nodes).Await(ctx, names, expect, func(text string, done, total int) {
		r.show(text, int64(done), int64(total), "channels")
	})
	ev := runbook.Evidence{Summary: summary(states), Channels: states}
	if len(open) > 0 {
		ev.Summary = fmt.Sprintf("the time is over, %d conditions do not hold: %s", len(open), open[0].Error())
		o.addDeaths(&ev)
	}
	return ev, nil
}

// needLeaders waits until the logs that were there at the start have been
// read. A leader that is not known in time shows as none.
func (o *Operator) needLeaders(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	_ = o.logs.CaughtUp(ctx) // it only means that no leader is known
}

// addDeaths adds the last words of processes that died.
func (o *Operator) addDeaths(ev *runbook.Evidence) {
	for _, n := range o.pool.Nodes() {
		if words := o.logs.Died(n); words != "" {
			ev.Findings = append(ev.Findings, runbook.Finding{
				Check: "log.panic", Severity: runbook.SeverityError,
				Summary: n + " logged a panic", Evidence: []string{words}, Hint: "Read the end of that node's log.",
			})
		}
	}
}

func (o *Operator) submitUpdate(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	submit := func() (channelcfg.Result, runbook.Evidence, error) {
		result, err := o.submitter.Only(e.Nodes).Bring(ctx, e.Channel, channelcfg.GoalOf(e), r.text)
		return result, runbook.Evidence{}, err
	}
	if o.inv.AwaitSignatures {
		submit = func() (channelcfg.Result, runbook.Evidence, error) { return o.submitSigned(ctx, e, r) }
	}
	result, ev, err := submit()
	if err != nil {
		return ev, err
	}
	receipt := result.Receipt
	ev = runbook.Evidence{Update: &receipt, AlreadyDone: result.AlreadyDone}
	ev.Summary = fmt.Sprintf("%s: %s in config block %d, sequence %d", e.Channel, e.Change, receipt.Block, receipt.Sequence)
	if result.AlreadyDone {
		ev.Summary += ", already in force"
	}
	return ev, nil
}

func (o *Operator) sendTransactions(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	names, err := o.channelsOf(ctx, e)
	if err != nil {
		return runbook.Evidence{}, err
	}
	r.total(int64(len(names)), "channels")
	proofs, err := o.prover.Prove(ctx, names, func(text string, done int) {
		r.show(text, int64(done), int64(len(names)), "channels")
	})
	ev := runbook.Evidence{
		Summary:      fmt.Sprintf("a transaction on %d of %d channels, seen on all %d nodes", len(proofs), len(names), len(o.pool.Nodes())),
		Transactions: proofs,
	}
	return ev, err
}

func readable(c runbook.ChannelState) int {
	n := 0
	for _, s := range c.Nodes {
		if s.Error == "" {
			n++
		}
	}
	return n
}

func summary(states []runbook.ChannelState) string {
	cells, good := 0, 0
	for _, c := range states {
		cells += len(c.Nodes)
		good += readable(c)
	}
	return fmt.Sprintf("%d channels, %d of %d views read", len(states), good, cells)
}

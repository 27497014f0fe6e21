package fabricops

import (
	"context"
	"fmt"
	"sync"
	"time"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/fabricops/ledgerfiles"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// flushPause lies between two readings of the ends of topics: they must be the
// same.
const flushPause = 500 * time.Millisecond

// proveFlush compares the topics with the ledgers until nothing is left to
// complain of. It returns what was found last, whether that is a proof or the
// time is over; the runbook judges the evidence.
func (o *Operator) proveFlush(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	if err := o.allDown(ctx, "comparing ledgers with Kafka", runbook.TierOrderers); err != nil {
		return runbook.Evidence{}, err
	}
	cluster, err := kafkaops.Of(o.inv)
	if err != nil {
		return runbook.Evidence{}, err
	}
	nodes, ledgers := o.positions(e.Channels, r)
	var states []runbook.FlushState
	var brokers []runbook.ProcessState
	var open *runbook.Problem
	for shown := ""; ; {
		now := cluster.Flush(ctx, e.Channels, ledgers)
		if ctx.Err() != nil && states != nil {
			break // the newest reading was cut off
		}
		since(now, states)
		again := states == nil
		if states, open = now, runbook.JudgeFlush(e.Channels, nodes, now); open == nil {
			if brokers, err = o.states(ctx, runbook.Effect{Tier: runbook.TierBrokers}); err != nil {
				return runbook.Evidence{Flush: states}, err
			}
			if open = runbook.JudgeBrokers(brokers); open == nil {
				return runbook.Evidence{Summary: flushed(states), Flush: states, Processes: brokers}, nil
			}
		}
		if text := open.Error(); text != shown && !again {
			shown = text
			r.text("not yet: " + text)
		}
		pause := time.NewTimer(flushPause)
		select {
		case <-ctx.Done():
			pause.Stop()
		case <-pause.C:
			continue
		}
		break
	}
	return runbook.Evidence{Summary: "the time is over: " + open.Error(), Flush: states, Processes: brokers}, nil
}

// positions reads how far the ledgers have come, those of one orderer after
// another, all orderers at once: block files are read from disk.
func (o *Operator) positions(channels []string, r *report) (nodes []string, ledgers map[string][]kafkaops.Position) {
	r.total(int64(len(channels)*len(o.inv.Orderers)), "ledgers")
	ledgers = map[string][]kafkaops.Position{}
	for _, c := range channels {
		ledgers[c] = make([]kafkaops.Position, len(o.inv.Orderers))
	}
	var wg sync.WaitGroup
	for i := range o.inv.Orderers {
		n := &o.inv.Orderers[i]
		nodes = append(nodes, n.Name)
		wg.Go(func() {
			for _, c := range channels {
				ledgers[c][i] = position(n, c) // each place is written once
				r.step(c + " on " + n.Name + ": last block read")
			}
		})
	}
	wg.Wait()
	r.text("ledgers read, asking Kafka")
	return nodes, ledgers
}

// since notes where the topics ended before.
func since(now, before []runbook.FlushState) {
	for i := range before {
		if before[i].Error == "" {
			now[i].EndBefore = before[i].End
		}
	}
}

// flushed sums up a proof.
func flushed(states []runbook.FlushState) string {
	replicas := 0
	for _, f := range states {
		replicas += len(f.InSync)
	}
	return fmt.Sprintf("%d channels: what Kafka has is in every ledger, and the ends of the topics stand still; %d replicas, all in sync", len(states), replicas)
}

// position reads from the files how far an orderer's ledger has come.
func position(n *inventory.Orderer, channel string) kafkaops.Position {
	p := kafkaops.Position{Node: n.Name}
	if n.LedgerDir == "" {
		p.Err = fmt.Errorf("the inventory does not name its ledgerDir")
		return p
	}
	tail, err := ledgerfiles.ReadTail(n.LedgerDir, channel)
	if err != nil {
		p.Err = err
		return p
	}
	p.Height = tail.Newest.Header.Number + 1
	view, err := channelcfg.FromBlock(tail.Config)
	if err != nil {
		p.Err = fmt.Errorf("reading the configuration of %s: %w", channel, err)
		return p
	}
	p.Sequence = view.Sequence()
	md, err := protoutil.ConsenterMetadata(tail.Newest)
	if err == nil {
		p.LastOffset, p.LastOriginal, err = kafkaops.KafkaMetadata(md.GetValue())
	}
	if err != nil {
		p.Err = fmt.Errorf("block %d of %s: %w", tail.Newest.Header.Number, channel, err)
	}
	return p
}

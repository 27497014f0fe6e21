package kafkaops

import (
	"context"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"raftmig/runbook"
)

// topicsAtATime bounds the topics that are read at a time.
const topicsAtATime = 8

// Flush compares the topics of channels with the ledgers of orderers that are
// down: where each topic ends, who has it, and what stands behind the last
// record that is in a block. It changes nothing. EndBefore is left to the
// caller, who asks twice.
func (c *Cluster) Flush(ctx context.Context, channels []string, ledgers map[string][]Position) []runbook.FlushState {
	out := make([]runbook.FlushState, len(channels))
	for i, name := range channels {
		out[i] = runbook.FlushState{Channel: name, Leader: -1, EndBefore: -1}
		for _, p := range ledgers[name] {
			n := runbook.FlushNode{Node: p.Node, Height: p.Height, LastOffset: p.LastOffset}
			if p.Err != nil {
				n.Error = p.Err.Error()
			}
			out[i].Nodes = append(out[i].Nodes, n)
		}
	}
	client, existing, err := c.open(ctx)
	if err != nil {
		for i := range out {
			out[i].Error = err.Error()
		}
		return out
	}
	defer client.Close() //nolint:errcheck // nothing was written
	var g errgroup.Group
	g.SetLimit(topicsAtATime)
	for i := range out {
		g.Go(func() error {
			if !slices.Contains(existing, out[i].Channel) { // asking for it might make it
				out[i].Error = "there is no topic " + out[i].Channel
				return nil
			}
			if err := flush(ctx, client, &out[i], ledgers[out[i].Channel]); err != nil {
				out[i].Error = err.Error()
			}
			return nil
		})
	}
	_ = g.Wait() // no function of the group returns an error
	return out
}

// open connects to the cluster and lists its topics.
func (c *Cluster) open(ctx context.Context) (client sarama.Client, topics []string, err error) {
	client, err = bounded(ctx, func() (sarama.Client, error) { return c.client(telling) })
	if err != nil {
		return nil, nil, err
	}
	if topics, err = bounded(ctx, client.Topics); err != nil {
		_ = client.Close() // nothing was written
		return nil, nil, fmt.Errorf("listing Kafka topics: %w", err)
	}
	return client, topics, nil
}

// flush fills in what Kafka says of one channel.
func flush(ctx context.Context, client sarama.Client, f *runbook.FlushState, ledgers []Position) error {
	partitions, err := bounded(ctx, func() ([]runbook.KafkaPartition, error) { return askPartitions(client, f.Channel) })
	switch {
	case err != nil:
		return err
	case len(partitions) != 1:
		return fmt.Errorf("the topic %s has %d partitions", f.Channel, len(partitions))
	}
	p := partitions[0]
	f.Leader, f.Replicas, f.InSync, f.Earliest, f.End = p.Leader, p.Replicas, p.InSync, p.Earliest, p.Latest
	if p.Leader < 0 {
		return nil // that is what there is to say
	}
	if len(ledgers) == 0 {
		return nil
	}
	lowest := ledgers[0]
	for _, l := range ledgers {
		if l.Err != nil {
			return nil // there is nothing to compare with
		}
		if l.LastOffset < lowest.LastOffset {
			lowest = l
		}
	}
	f.Behind = runbook.FlushRecords{}
	return records(ctx, client, f.Channel, max(lowest.LastOffset+1, f.Earliest), f.End, func(m *sarama.ConsumerMessage) {
		count(&f.Behind, m.Offset, m.Value, lowest)
	})
}

// records reads a topic from an offset up to, and without, another one.
func records(ctx context.Context, client sarama.Client, topic string, from, end int64, visit func(*sarama.ConsumerMessage)) (err error) {
	if from >= end {
		return nil
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return fmt.Errorf("reading topic %s: %w", topic, err)
	}
	defer func() { _ = consumer.Close() }() // nothing was written
	pc, err := consumer.ConsumePartition(topic, 0, from)
	if err != nil {
		return fmt.Errorf("reading topic %s from offset %d: %w", topic, from, err)
	}
	defer func() { _ = pc.Close() }() // likewise
	for {
		select {
		case m, ok := <-pc.Messages():
			if !ok {
				return fmt.Errorf("reading topic %s: the consumer ended", topic)
			}
			if m.Offset >= end {
				return nil
			}
			visit(m)
			if m.Offset == end-1 {
				return nil
			}
		case e, ok := <-pc.Errors():
			if ok {
				return fmt.Errorf("reading topic %s: %w", topic, e.Err)
			}
		case <-ctx.Done():
			return fmt.Errorf("reading topic %s up to offset %d: %w", topic, end-1, ctx.Err())
		}
	}
}

package kafkaops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"raftmig/runbook"
)

// settings are the broker settings that the preflight judges.
var settings = []string{
	"unclean.leader.election.enable", "min.insync.replicas", "default.replication.factor",
	"message.max.bytes", "replica.fetch.max.bytes", "socket.request.max.bytes",
	"log.retention.ms", "log.retention.minutes", "log.retention.hours", "log.retention.bytes",
	"log.dirs", "log.dir", "zookeeper.connect",
}

// topicSettings are those that a topic may have in place of the brokers', and
// that the preflight judges.
var topicSettings = []string{
	"cleanup.policy", "retention.ms", "retention.bytes", "unclean.leader.election.enable", "min.insync.replicas", "max.message.bytes",
}

// Describe asks the cluster for its live brokers with their settings, and for
// the topics. It changes nothing, and says in Error what it could not learn.
func (c *Cluster) Describe(ctx context.Context, topics []string) *runbook.KafkaFacts {
	f, err := bounded(ctx, func() (*runbook.KafkaFacts, error) { return c.describe(topics), nil })
	if err != nil {
		return &runbook.KafkaFacts{Error: err.Error()}
	}
	return f
}

// Settled is Describe, asked again until all replicas of the topics are in sync
// or patience is over; the last answer counts.
func (c *Cluster) Settled(ctx context.Context, topics []string, patience time.Duration) *runbook.KafkaFacts {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(settlePause)
	defer tick.Stop()
	f := c.Describe(ctx, topics)
	for !inSync(f) {
		select {
		case <-ctx.Done():
			return f
		case <-tick.C:
		}
		if next := c.Describe(ctx, topics); ctx.Err() == nil {
			f = next
		}
	}
	return f
}

const settlePause = 500 * time.Millisecond

// inSync tells whether there is nothing to wait for.
func inSync(f *runbook.KafkaFacts) bool {
	for _, t := range f.Topics {
		for _, p := range t.Partitions {
			if p.Leader < 0 || len(p.InSync) < len(p.Replicas) {
				return false
			}
		}
	}
	return true
}

func (c *Cluster) describe(topics []string) *runbook.KafkaFacts {
	f := &runbook.KafkaFacts{}
	client, err := c.client(telling)
	if err != nil {
		f.Error = err.Error()
		return f
	}
	defer client.Close() //nolint:errcheck // nothing was written
	var errs []error
	for _, b := range client.Brokers() {
		live := runbook.KafkaBroker{ID: b.ID(), Address: b.Addr()}
		live.Settings, err = askSettings(b, client.Config())
		errs = append(errs, err)
		live.Requests, err = askRequests(b)
		errs = append(errs, err)
		f.Brokers = append(f.Brokers, live)
	}
	slices.SortFunc(f.Brokers, func(a, b runbook.KafkaBroker) int { return int(a.ID) - int(b.ID) })
	existing, err := client.Topics()
	if err != nil {
		f.Error = errors.Join(append(errs, fmt.Errorf("listing Kafka topics: %w", err))...).Error()
		return f
	}
	for _, name := range topics {
		t := runbook.KafkaTopic{Name: name}
		if slices.Contains(existing, name) {
			t.Partitions, err = askPartitions(client, name)
			errs = append(errs, err)
		}
		f.Topics = append(f.Topics, t)
	}
	errs = append(errs, askTopics(client, f.Topics))
	if err := errors.Join(errs...); err != nil {
		f.Error = err.Error()
	}
	return f
}

func askSettings(b *sarama.Broker, cfg *sarama.Config) (map[string]string, error) {
	if err := b.Open(cfg); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		return nil, fmt.Errorf("asking broker %d: %w", b.ID(), err)
	}
	answer, err := b.DescribeConfigs(&sarama.DescribeConfigsRequest{Resources: []*sarama.ConfigResource{
		{Type: sarama.BrokerResource, Name: strconv.Itoa(int(b.ID())), ConfigNames: settings},
	}})
	if err != nil {
		return nil, fmt.Errorf("asking broker %d for its settings: %w", b.ID(), err)
	}
	out := map[string]string{}
	for _, r := range answer.Resources {
		if r.ErrorCode != 0 {
			return nil, fmt.Errorf("asking broker %d for its settings: %s %w", b.ID(), r.ErrorMsg, sarama.KError(r.ErrorCode))
		}
		for _, c := range r.Configs {
			if c.Value != "" && slices.Contains(settings, c.Name) {
				out[c.Name] = c.Value
			}
		}
	}
	return out, nil
}

// askTopics asks for the settings that are in force for topics, those that are
// Kafka's own defaults left out.
func askTopics(client sarama.Client, topics []runbook.KafkaTopic) error {
	r := &sarama.DescribeConfigsRequest{}
	var asked []*runbook.KafkaTopic
	for i := range topics {
		if t := &topics[i]; len(t.Partitions) > 0 {
			asked = append(asked, t)
			r.Resources = append(r.Resources, &sarama.ConfigResource{Type: sarama.TopicResource, Name: t.Name, ConfigNames: topicSettings})
		}
	}
	if len(r.Resources) == 0 {
		return nil
	}
	controller, err := client.Controller() // any broker would do
	if err != nil {
		return fmt.Errorf("asking for the settings of topics: %w", err)
	}
	answer, err := controller.DescribeConfigs(r)
	if err != nil {
		return fmt.Errorf("asking for the settings of topics: %w", err)
	}
	return settle(asked, answer.Resources)
}

// settle notes the settings that were told for topics. One whose settings were
// not told, because asking is not allowed for example, is an error: the
// brokers' settings need not be in force for it.
func settle(topics []*runbook.KafkaTopic, told []*sarama.ResourceResponse) error {
	var errs []error
	for _, t := range topics {
		i := slices.IndexFunc(told, func(r *sarama.ResourceResponse) bool { return r.Name == t.Name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("asking for the settings of topic %s: no answer", t.Name))
			continue
		}
		if r := told[i]; r.ErrorCode != 0 {
			errs = append(errs, fmt.Errorf("asking for the settings of topic %s: %s %w", t.Name, r.ErrorMsg, sarama.KError(r.ErrorCode)))
			continue
		}
		for _, c := range told[i].Configs {
			if c.Default || c.Value == "" || !slices.Contains(topicSettings, c.Name) {
				continue
			}
			if t.Settings == nil {
				t.Settings = map[string]string{}
			}
			t.Settings[c.Name] = c.Value
		}
	}
	return errors.Join(errs...)
}

// askRequests asks a broker, to which there is a connection, which versions of
// requests it takes.
func askRequests(b *sarama.Broker) (map[string]runbook.VersionRange, error) {
	if connected, err := b.Connected(); err != nil || !connected {
		return nil, nil // askSettings has said so
	}
	answer, err := b.ApiVersions(&sarama.ApiVersionsRequest{})
	if err != nil {
		return nil, fmt.Errorf("asking broker %d for the protocol that it speaks: %w", b.ID(), err)
	}
	out := map[string]runbook.VersionRange{}
	for _, k := range answer.ApiKeys {
		switch k.ApiKey {
		case 0:
			out[runbook.RequestProduce] = runbook.VersionRange{Min: k.MinVersion, Max: k.MaxVersion}
		case 1:
			out[runbook.RequestFetch] = runbook.VersionRange{Min: k.MinVersion, Max: k.MaxVersion}
		}
	}
	return out, nil
}

func askPartitions(client sarama.Client, topic string) ([]runbook.KafkaPartition, error) {
	ids, err := client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("asking for topic %s: %w", topic, err)
	}
	var out []runbook.KafkaPartition
	var errs []error
	for _, id := range ids {
		p := runbook.KafkaPartition{ID: id, Leader: -1, Earliest: -1, Latest: -1}
		if leader, err := client.Leader(topic, id); err == nil {
			p.Leader = leader.ID()
			if p.Earliest, err = client.GetOffset(topic, id, sarama.OffsetOldest); err != nil {
				p.Earliest = -1
				errs = append(errs, fmt.Errorf("asking for the first offset of %s: %w", topic, err))
			}
			if p.Latest, err = client.GetOffset(topic, id, sarama.OffsetNewest); err != nil {
				p.Latest = -1
				errs = append(errs, fmt.Errorf("asking for the last offset of %s: %w", topic, err))
			}
		}
		// What the client knows is told along with an error for a missing replica.
		p.Replicas, err = client.Replicas(topic, id)
		if err != nil && p.Replicas == nil {
			errs = append(errs, fmt.Errorf("asking for the replicas of %s: %w", topic, err))
		}
		p.InSync, err = client.InSyncReplicas(topic, id)
		if err != nil && p.InSync == nil && p.Leader >= 0 {
			errs = append(errs, fmt.Errorf("asking for the replicas of %s that are in sync: %w", topic, err))
		}
		out = append(out, p)
	}
	return out, errors.Join(errs...)
}

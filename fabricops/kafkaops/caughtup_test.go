package kafkaops

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

func TestABrokerServesOnceItHasCaughtUpWithTheLeadersThatAreThere(t *testing.T) {
	answer := func(leader int32, replicas, inSync []int32) *sarama.MetadataResponse {
		r := &sarama.MetadataResponse{}
		r.AddBroker("127.0.0.1:9092", 0)
		r.AddBroker("127.0.0.1:9093", 1)
		r.AddTopicPartition("ch1", 0, leader, replicas, inSync, nil, sarama.ErrNoError)
		return r
	}
	const here = "127.0.0.1:9093"
	require.NoError(t, caughtUp(answer(0, []int32{0, 1, 2}, []int32{0, 1}), here))
	require.NoError(t, caughtUp(answer(0, []int32{0, 2}, []int32{0}), here), "it has no replica")
	require.NoError(t, caughtUp(answer(-1, []int32{1, 2}, []int32{2}), here), "nobody to catch up with")
	require.ErrorContains(t, caughtUp(answer(0, []int32{0, 1}, []int32{0}), here), "has not caught up on partition 0 of ch1")
	require.ErrorContains(t, caughtUp(answer(0, []int32{0, 1}, []int32{0}), "127.0.0.1:9094"),
		"the broker at 127.0.0.1:9094 is not registered; those that are advertise 127.0.0.1:9092, 127.0.0.1:9093")
}

func TestThereIsSomethingToWaitForWhileReplicasAreNotInSync(t *testing.T) {
	facts := func(p runbook.KafkaPartition) *runbook.KafkaFacts {
		return &runbook.KafkaFacts{Topics: []runbook.KafkaTopic{{Name: "none"}, {Name: "ch1", Partitions: []runbook.KafkaPartition{p}}}}
	}
	all := []int32{0, 1, 2}
	require.True(t, inSync(facts(runbook.KafkaPartition{Replicas: all, InSync: all})))
	require.True(t, inSync(&runbook.KafkaFacts{Error: "no answer"}))
	require.False(t, inSync(facts(runbook.KafkaPartition{Replicas: all, InSync: all[:2]})))
	require.False(t, inSync(facts(runbook.KafkaPartition{Leader: -1, Replicas: all, InSync: all})))
}

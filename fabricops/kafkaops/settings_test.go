package kafkaops

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

func TestSettingsOfATopicThatAreNotToldAreAnError(t *testing.T) {
	entry := func(name, value string, byDefault bool) *sarama.ConfigEntry {
		return &sarama.ConfigEntry{Name: name, Value: value, Default: byDefault}
	}
	told := &sarama.ResourceResponse{Name: "ch1", Configs: []*sarama.ConfigEntry{
		entry("retention.ms", "-1", false), entry("max.message.bytes", "1048588", true), entry("segment.ms", "1", false),
	}}
	topics := []*runbook.KafkaTopic{{Name: "ch1"}}
	require.NoError(t, settle(topics, []*sarama.ResourceResponse{told}))
	require.Equal(t, map[string]string{"retention.ms": "-1"}, topics[0].Settings)

	refused := &sarama.ResourceResponse{Name: "ch2", ErrorCode: int16(sarama.ErrTopicAuthorizationFailed), ErrorMsg: "not yours"}
	topics = []*runbook.KafkaTopic{{Name: "ch1"}, {Name: "ch2"}}
	err := settle(topics, []*sarama.ResourceResponse{told, refused})
	require.ErrorContains(t, err, "ch2: not yours")
	require.ErrorIs(t, err, sarama.ErrTopicAuthorizationFailed)
	require.Equal(t, "-1", topics[0].Settings["retention.ms"], "what is told counts all the same")

	require.ErrorContains(t, settle(topics, []*sarama.ResourceResponse{told}), "ch2")
}

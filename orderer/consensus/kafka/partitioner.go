package kafka

import "github.com/IBM/sarama"

// partition is the one partition of every topic (spec 3.2).
const partition int32 = 0

// staticPartitioner puts every record into partition.
type staticPartitioner struct{}

func newStaticPartitioner(string) sarama.Partitioner { return staticPartitioner{} }

// Partition implements sarama.Partitioner.
func (staticPartitioner) Partition(*sarama.ProducerMessage, int32) (int32, error) {
	return partition, nil
}

// RequiresConsistency implements sarama.Partitioner.
func (staticPartitioner) RequiresConsistency() bool { return true }

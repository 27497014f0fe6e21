package kafka

import "github.com/IBM/sarama"

// restore returns what the consenter metadata of a channel's last block says.
// Without metadata, consumption starts at the oldest record (spec 3.2).
func restore(value []byte) (Metadata, error) {
	if len(value) == 0 {
		return Metadata{LastOffsetPersisted: sarama.OffsetOldest - 1}, nil
	}
	return ParseMetadata(value)
}

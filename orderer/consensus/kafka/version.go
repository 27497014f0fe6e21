package kafka

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// versions maps Kafka.Version to the protocol that is spoken: the last entry
// that is not later than the version asked for (spec 3.8). Later protocols
// than that of 1.0.0 are not used.
var versions = []struct {
	from    [4]int
	version sarama.KafkaVersion
}{
	{[4]int{0, 8, 2, 0}, sarama.V0_8_2_0},
	{[4]int{0, 8, 2, 1}, sarama.V0_8_2_1},
	{[4]int{0, 8, 2, 2}, sarama.V0_8_2_2},
	{[4]int{0, 9, 0, 0}, sarama.V0_9_0_0},
	{[4]int{0, 9, 0, 1}, sarama.V0_9_0_1},
	{[4]int{0, 10, 0, 0}, sarama.V0_10_0_0},
	{[4]int{0, 10, 0, 1}, sarama.V0_10_0_1},
	{[4]int{0, 10, 1, 0}, sarama.V0_10_1_0},
	{[4]int{0, 10, 2, 0}, sarama.V0_10_2_0},
	{[4]int{0, 11, 0, 0}, sarama.V0_11_0_0},
	{[4]int{1, 0, 0, 0}, sarama.V1_0_0_0},
}

// parseVersion resolves Kafka.Version; empty means Fabric's default, 0.10.2.0.
func parseVersion(s string) (sarama.KafkaVersion, error) {
	if s == "" {
		return sarama.V0_10_2_0, nil
	}
	parts := strings.Split(strings.TrimPrefix(s, "v"), ".")
	var wanted [4]int
	if len(parts) > len(wanted) {
		return sarama.KafkaVersion{}, fmt.Errorf("Unable to parse Kafka version: Malformed version: %s", s) //nolint:staticcheck // Fabric's text
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return sarama.KafkaVersion{}, fmt.Errorf("Unable to parse Kafka version: Malformed version: %s", s) //nolint:staticcheck // Fabric's text
		}
		wanted[i] = n
	}
	for _, v := range slices.Backward(versions) {
		if slices.Compare(wanted[:], v.from[:]) >= 0 {
			return v.version, nil
		}
	}
	return sarama.KafkaVersion{}, fmt.Errorf("Unsupported Kafka version: '%s'", s) //nolint:staticcheck // Fabric's text
}

package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// component is the chain's name towards the health check.
func (c *Chain) component() string { return fmt.Sprintf("%s/%d", c.id, partition) }

// HealthCheck posts a CONNECT record. Only brokers that lack in-sync replicas
// make the chain unhealthy (spec 3.8).
func (c *Chain) HealthCheck(ctx context.Context) error {
	if !isClosed(c.started) {
		return nil
	}
	_, err := c.producer.post(ctx, Connect{}.Marshal())
	if err == nil {
		return nil
	}
	c.log.Warnf("[channel %s] Cannot post CONNECT message = %s", c.id, err)
	if errors.Is(err, sarama.ErrNotEnoughReplicas) {
		return fmt.Errorf("[replica ids: %d]: %w", c.replicaIDs, err)
	}
	return nil
}

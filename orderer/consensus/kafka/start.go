package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// run is the chain's goroutine.
func (c *Chain) run() {
	defer close(c.done)
	if err := c.connect(c.ctx); err != nil {
		if c.ctx.Err() == nil {
			c.consenter.fatal(err)
		}
		return
	}
	close(c.started)
	c.log.Infof("[channel: %s] Start phase completed successfully", c.id)
	c.consume()
}

// connect does the steps of the start phase (spec 3.2). Each is retried as
// configured; an error says that the last try failed.
func (c *Chain) connect(ctx context.Context) error {
	brokers := c.support.SharedConfig().KafkaBrokers()
	if err := c.createTopic(ctx); err != nil {
		// The brokers may create it by themselves.
		c.log.Infof("[channel: %s]: failed to create Kafka topic = %s", c.id, err)
	}

	c.log.Infof("[channel: %s] Setting up the producer for this channel...", c.id)
	err := c.retry().do(ctx, "Setting up the producer", func() (err error) {
		c.producer, err = newProducer(brokers, c.id, producerConfig(c.consenter.client))
		return err
	})
	if err != nil {
		return fmt.Errorf("[channel: %s] Cannot set up producer = %w", c.id, err)
	}
	c.log.Infof("[channel: %s] Producer set up successfully", c.id)

	if err := c.postConnect(ctx, c.sequencer.Connected); err != nil {
		return fmt.Errorf("[channel: %s] Cannot post CONNECT message = %w", c.id, err)
	}
	c.log.Infof("[channel: %s] CONNECT message posted successfully", c.id)

	c.log.Infof("[channel: %s] Setting up the parent consumer for this channel...", c.id)
	err = c.retry().do(ctx, "Setting up the parent consumer", func() (err error) {
		c.consumer, err = sarama.NewConsumer(brokers, c.consenter.client)
		return err
	})
	if err != nil {
		return fmt.Errorf("[channel: %s] Cannot set up parent consumer = %w", c.id, err)
	}
	c.log.Infof("[channel: %s] Parent consumer set up successfully", c.id)

	if err := c.subscribe(ctx); err != nil {
		return fmt.Errorf("[channel: %s] Cannot set up channel consumer = %w", c.id, err)
	}
	c.log.Infof("[channel: %s] Channel consumer set up successfully", c.id)

	err = c.retry().do(ctx, "Getting list of Kafka brokers replicating the channel", func() error {
		client, err := sarama.NewClient(brokers, c.consenter.client)
		if err != nil {
			return err
		}
		defer client.Close()
		c.replicaIDs, err = client.Replicas(c.id, partition)
		return err
	})
	if err != nil {
		return fmt.Errorf("[channel: %s] failed to get replica IDs = %w", c.id, err)
	}
	return nil
}

// postConnect posts a CONNECT record, so that there is one to be read.
func (c *Chain) postConnect(ctx context.Context, posted func(offset int64)) error {
	c.log.Infof("[channel: %s] About to post the CONNECT message...", c.id)
	return c.retry().do(ctx, "Posting the CONNECT message", func() error {
		offset, err := c.producer.post(ctx, Connect{}.Marshal())
		if err == nil {
			posted(offset)
		}
		return err
	})
}

// subscribe begins to read behind the last record that is in a block.
func (c *Chain) subscribe(ctx context.Context) error {
	from := c.sequencer.LastOffsetPersisted() + 1
	c.log.Infof("[channel: %s] Setting up the channel consumer for this channel (start offset: %d)...", c.id, from)
	warned := false
	return c.retry().do(ctx, "Setting up the channel consumer", func() (err error) {
		c.records, err = c.consumer.ConsumePartition(c.id, partition, from)
		if errors.Is(err, sarama.ErrOffsetOutOfRange) && !warned {
			warned = true
			c.log.Warnf("[channel: %s] The topic has no offset %d, from which the ledger must go on: "+
				"the topic was deleted or its records have expired, or the ledger is that of another network", c.id, from)
		}
		return err
	})
}

// disconnect releases what connect has set up.
func (c *Chain) disconnect() {
	if c.records != nil {
		c.closing("channel consumer", c.records.Close)
	}
	if c.consumer != nil {
		c.closing("parent consumer", c.consumer.Close)
	}
	if c.producer != nil {
		c.producer.close()
		c.log.Debugf("[channel: %s] Closed the producer", c.id)
	}
}

func (c *Chain) closing(what string, closeIt func() error) {
	if err := closeIt(); err != nil {
		c.log.Errorf("[channel: %s] could not close %s cleanly = %s", c.id, what, err)
		return
	}
	c.log.Debugf("[channel: %s] Closed the %s", c.id, what)
}

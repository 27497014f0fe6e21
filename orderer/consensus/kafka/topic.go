package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// createTopicTimeout is the time that the controller may take.
const createTopicTimeout = 3 * time.Second

// createTopic creates the channel's topic if there is none (spec 3.2, step 1).
// Brokers before 0.10.1 cannot be asked to.
func (c *Chain) createTopic(ctx context.Context) error {
	version := c.consenter.client.Version
	if !version.IsAtLeast(sarama.V0_10_1_0) {
		return nil
	}
	c.log.Infof("[channel: %s] Setting up the topic for this channel...", c.id)
	what := fmt.Sprintf("Creating Kafka topic [%s] for channel [%s]", c.id, c.id)
	return c.retry().do(ctx, what, func() error {
		controller, exists, err := c.findController()
		if err != nil || exists {
			return err
		}
		return c.createTopicAt(controller)
	})
}

// findController asks the listed brokers in turn for the topic's metadata.
func (c *Chain) findController() (controller *sarama.Broker, exists bool, err error) {
	request := &sarama.MetadataRequest{Version: 1, Topics: []string{c.id}}
	if c.consenter.client.Version.IsAtLeast(sarama.V0_11_0_0) {
		request.Version = 4 // the first that can ask without creating the topic
	}
	for _, address := range c.support.SharedConfig().KafkaBrokers() {
		response, err := askMetadata(address, c.consenter.client, request)
		if err != nil {
			c.log.Debugf("[channel: %s] No metadata from broker %s: %s", c.id, address, err)
			continue
		}
		for _, t := range response.Topics {
			if t.Name == c.id && !errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition) {
				return nil, true, nil
			}
		}
		for _, b := range response.Brokers {
			if b.ID() == response.ControllerID {
				return b, false, nil
			}
		}
		return nil, false, fmt.Errorf("error creating topic [%s]; broker %s names no controller", c.id, address)
	}
	return nil, false, fmt.Errorf("error creating topic [%s]; failed to retrieve metadata for the cluster", c.id)
}

func askMetadata(address string, config *sarama.Config, request *sarama.MetadataRequest) (*sarama.MetadataResponse, error) {
	broker := sarama.NewBroker(address)
	if err := connect(broker, config); err != nil {
		return nil, err
	}
	defer broker.Close()
	return broker.GetMetadata(request)
}

func connect(broker *sarama.Broker, config *sarama.Config) error {
	if err := broker.Open(config); err != nil {
		return err
	}
	ok, err := broker.Connected()
	if err == nil && !ok {
		err = sarama.ErrNotConnected
	}
	return err
}

func (c *Chain) createTopicAt(controller *sarama.Broker) error {
	if err := connect(controller, c.consenter.client); err != nil {
		return err
	}
	defer controller.Close()
	response, err := controller.CreateTopics(&sarama.CreateTopicsRequest{
		Version: createTopicsVersion(c.consenter.client.Version),
		TopicDetails: map[string]*sarama.TopicDetail{c.id: {
			NumPartitions:     1,
			ReplicationFactor: c.consenter.config.Topic.ReplicationFactor,
		}},
		Timeout: createTopicTimeout,
	})
	if err != nil {
		return err
	}
	topicErr, ok := response.TopicErrors[c.id]
	switch {
	case !ok || errors.Is(topicErr.Err, sarama.ErrNoError) || errors.Is(topicErr.Err, sarama.ErrTopicAlreadyExists):
		return nil
	case errors.Is(topicErr.Err, sarama.ErrInvalidTopic):
		c.log.Warnf("[channel: %s] Failed to set up topic = %s", c.id, topicErr.Err)
		return errExit
	}
	return fmt.Errorf("error creating topic: [%w]", topicErr.Err)
}

// createTopicsVersion is the request's version; brokers from 4.0 on refuse the
// earliest ones.
func createTopicsVersion(v sarama.KafkaVersion) int16 {
	switch {
	case v.IsAtLeast(sarama.V1_0_0_0):
		return 2
	case v.IsAtLeast(sarama.V0_11_0_0):
		return 1
	}
	return 0
}

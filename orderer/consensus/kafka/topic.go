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
		response, err := c.askMetadata(address, request)
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

func (c *Chain) askMetadata(address string, request *sarama.MetadataRequest) (*sarama.MetadataResponse, error) {
	broker := sarama.NewBroker(address)
	if err := connect(broker, c.consenter.client); err != nil {
		return nil, err
	}
	defer broker.Close()
	c.warnOfProtocol(broker)
	return broker.GetMetadata(request)
}

// apiKeyProduce is the number of the request that posts records.
const apiKeyProduce = 0

// warnOfProtocol says so if the broker no longer takes records in the protocol
// that Kafka.Version names. Such brokers close the connection without a word.
func (c *Chain) warnOfProtocol(broker *sarama.Broker) {
	if !c.consenter.client.ApiVersionsRequest || c.consenter.client.Version.IsAtLeast(sarama.V0_11_0_0) {
		return
	}
	response, err := broker.ApiVersions(&sarama.ApiVersionsRequest{})
	if err != nil {
		c.log.Debugf("[channel: %s] No API versions from broker %s: %s", c.id, broker.Addr(), err)
		return
	}
	const spoken = 2 // by 0.10; from 0.11 on it is 3
	for _, key := range response.ApiKeys {
		if key.ApiKey == apiKeyProduce && key.MinVersion > spoken {
			c.log.Errorf("[channel: %s] Broker %s does not take records of Kafka.Version %s; Kafka.Version in the "+
				"orderer configuration must be 1.0.0 or later", c.id, broker.Addr(), c.consenter.client.Version)
		}
	}
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

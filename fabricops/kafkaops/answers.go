package kafkaops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// answerTimeout bounds one broker's answer. It is long enough for a broker that
// is busy; one that is starting refuses the connection.
const answerTimeout = 4 * time.Second

// Answers asks all brokers at once and returns nil as soon as one of them
// answers a request, whatever it says. Otherwise the error says of
// each why it does not.
func (c *Cluster) Answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	version := oldest
	if c.User != "" {
		version = telling // as in topics
	}
	cfg := c.config(version)
	answers := make(chan error, len(c.Brokers))
	for _, address := range c.Brokers {
		go func() { answers <- answer(address, cfg) }() // ends with the timeouts of cfg
	}
	var why []string
	for range c.Brokers {
		select {
		case err := <-answers:
			if err == nil {
				return nil
			}
			why = append(why, err.Error())
		case <-ctx.Done():
			return errors.New(strings.Join(append(why, "no answer in time"), "; "))
		}
	}
	return tidy(errors.New(strings.Join(why, "\n")))
}

// answer asks one broker which requests it knows: the least that there is to ask.
func answer(address string, cfg *sarama.Config) error {
	b := sarama.NewBroker(address)
	if err := b.Open(cfg); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	defer b.Close() //nolint:errcheck // it was only asked
	if _, err := b.ApiVersions(&sarama.ApiVersionsRequest{}); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

package kafkaops

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/IBM/sarama"
)

// Answers asks all brokers at once and returns nil as soon as one of them
// answers a request, whatever it says. Otherwise the error says of
// each why it does not.
func (c *Cluster) Answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout+replyTimeout)
	defer cancel()
	version := oldest
	if c.User != "" {
		version = telling // as in topics
	}
	cfg := c.config(version)
	type result struct {
		broker int
		err    error
	}
	results := make(chan result, len(c.Brokers))
	for i, address := range c.Brokers {
		go func() { results <- result{i, answer(address, cfg)} }() // ends with the timeouts of cfg
	}
	errs := make([]error, len(c.Brokers))
	for i := range errs {
		errs[i] = context.DeadlineExceeded
	}
	for range c.Brokers {
		select {
		case r := <-results:
			if r.err == nil {
				return nil
			}
			errs[r.broker] = r.err
		case <-ctx.Done():
			return silence(c.Brokers, errs)
		}
	}
	return silence(c.Brokers, errs)
}

// silence says why brokers do not answer, those together that have the same
// reason.
func silence(brokers []string, errs []error) error {
	var reasons []string
	at := map[string][]string{}
	for i, err := range errs {
		var timeout interface{ Timeout() bool }
		reason := err.Error()
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			reason = "connection refused"
		case errors.As(err, &timeout) && timeout.Timeout():
			reason = "no answer in time"
		}
		if at[reason] == nil {
			reasons = append(reasons, reason)
		}
		at[reason] = append(at[reason], brokers[i])
	}
	for i, reason := range reasons {
		reasons[i] = reason + " at " + strings.Join(at[reason], ", ")
	}
	return errors.New(strings.Join(reasons, "; "))
}

// answer asks one broker which requests it knows: the least that there is to ask.
func answer(address string, cfg *sarama.Config) error {
	b := sarama.NewBroker(address)
	if err := b.Open(cfg); err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // it was only asked
	_, err := b.ApiVersions(&sarama.ApiVersionsRequest{})
	return err
}

package kafka

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/IBM/sarama"
	"golang.org/x/sync/semaphore"
)

// inFlightBytes limits the records that await their acknowledgement. The
// client packs what accumulates into one batch, and brokers refuse a batch
// larger than their message.max.bytes, of which 1 MB is the default.
const inFlightBytes = 512 << 10

var errProducerClosed = errors.New("producer closed")

// producer posts a channel's records.
type producer struct {
	async  sarama.AsyncProducer
	topic  string
	window *semaphore.Weighted

	ctx    context.Context // ends when closing begins
	cancel context.CancelFunc
	mu     sync.RWMutex // held for reading while a record is handed to async
	closed bool
	acks   sync.WaitGroup
}

// posted is what a record in flight remembers.
type posted struct {
	weight int64
	done   func(offset int64, err error)
}

func newProducer(brokers []string, topic string, config *sarama.Config) (*producer, error) {
	async, err := sarama.NewAsyncProducer(brokers, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &producer{async: async, topic: topic, window: semaphore.NewWeighted(inFlightBytes), ctx: ctx, cancel: cancel}
	p.acks.Go(func() {
		for m := range async.Successes() {
			p.finish(m, nil)
		}
	})
	p.acks.Go(func() {
		for e := range async.Errors() {
			p.finish(e.Msg, e.Err)
		}
	})
	return p, nil
}

func (p *producer) finish(m *sarama.ProducerMessage, err error) {
	record := m.Metadata.(posted)
	p.window.Release(record.weight)
	record.done(m.Offset, err)
}

// send hands a record over and returns as soon as there is room for it. done
// is called once, with the record's offset when all in-sync replicas have it.
// Records of one goroutine are ordered as they are sent.
func (p *producer) send(value []byte, done func(offset int64, err error)) {
	weight := min(int64(len(value)), inFlightBytes)
	if err := p.window.Acquire(p.ctx, weight); err != nil {
		done(0, errProducerClosed)
		return
	}
	if !p.hand(value, posted{weight, done}) {
		p.window.Release(weight)
		done(0, errProducerClosed)
	}
}

func (p *producer) hand(value []byte, record posted) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return false
	}
	m := &sarama.ProducerMessage{
		Topic:    p.topic,
		Key:      sarama.StringEncoder(strconv.Itoa(int(partition))),
		Value:    sarama.ByteEncoder(value),
		Metadata: record,
	}
	select {
	case p.async.Input() <- m:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// post sends a record and waits for the outcome. The record may still be
// posted if ctx ends first.
func (p *producer) post(ctx context.Context, value []byte) (int64, error) {
	type outcome struct {
		offset int64
		err    error
	}
	result := make(chan outcome, 1)
	go p.send(value, func(offset int64, err error) { result <- outcome{offset, err} })
	select {
	case r := <-result:
		return r.offset, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// close waits for the records in flight and releases the connections.
func (p *producer) close() {
	p.cancel()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	p.async.AsyncClose()
	p.acks.Wait()
}

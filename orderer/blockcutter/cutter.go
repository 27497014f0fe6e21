package blockcutter

import (
	"time"

	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/metrics"
	"raftmig/orderer/protoutil"
)

// Metrics are the block cutter's metrics, made once for all channels.
type Metrics struct {
	// BlockFillDuration is the time in seconds from the first message of a
	// batch to its cut, by channel (spec 4.10).
	BlockFillDuration metrics.Histogram
}

// NewMetrics makes the metrics.
func NewMetrics(p metrics.Provider) *Metrics {
	return &Metrics{BlockFillDuration: p.NewHistogram(metrics.Opts{
		Namespace:    "blockcutter",
		Name:         "block_fill_duration",
		Help:         "The time from first transaction enqueing to the block being cut in seconds.",
		LabelNames:   []string{"channel"},
		StatsdFormat: "%{#fqname}.%{channel}",
	})}
}

// Option sets something that New leaves out by default.
type Option func(*cutter)

// WithMetrics observes how long each batch of a channel took to fill. now is
// the clock; it never influences where a batch is cut.
func WithMetrics(m *Metrics, channelID string, now func() time.Time) Option {
	return func(c *cutter) {
		c.fill, c.now = m.BlockFillDuration.With("channel", channelID), now
	}
}

// New returns an empty cutter. config is asked anew for every message, because
// a batch is cut by the limits in force when its message is ordered (spec 6.4).
func New(config func() *ab.BatchSize, opts ...Option) Receiver {
	c := &cutter{config: config}
	for _, o := range opts {
		o(c)
	}
	return c
}

type cutter struct {
	config func() *ab.BatchSize
	fill   metrics.Histogram // nil: not observed
	now    func() time.Time

	pending      []*protoutil.Message
	pendingBytes uint64
	since        time.Time
}

// Ordered implements Receiver:
//
//	message > PreferredMaxBytes            pending batch if any, then the message alone; nothing left
//	pending + message > PreferredMaxBytes  pending batch; the message is left
//	pending reaches MaxMessageCount        pending batch with the message; nothing left
//	otherwise                              no batch; the message is left
func (c *cutter) Ordered(msg *protoutil.Message) (batches [][]*protoutil.Message, pending bool) {
	limits := c.config()
	size, preferred := uint64(msg.Size()), uint64(limits.GetPreferredMaxBytes())

	if size > preferred {
		if len(c.pending) > 0 {
			batches = append(batches, c.Cut())
		}
		c.observe(0)
		return append(batches, []*protoutil.Message{msg}), false
	}
	if c.pendingBytes+size > preferred {
		batches = append(batches, c.Cut())
	}
	if len(c.pending) == 0 && c.now != nil {
		c.since = c.now()
	}
	c.pending = append(c.pending, msg)
	c.pendingBytes += size
	if uint64(len(c.pending)) >= uint64(limits.GetMaxMessageCount()) {
		return append(batches, c.Cut()), false
	}
	return batches, true
}

// Cut implements Receiver.
func (c *cutter) Cut() []*protoutil.Message {
	batch := c.pending
	if len(batch) > 0 && c.now != nil {
		c.observe(c.now().Sub(c.since).Seconds())
	}
	c.pending, c.pendingBytes = nil, 0
	return batch
}

func (c *cutter) observe(seconds float64) {
	if c.fill != nil {
		c.fill.Observe(seconds)
	}
}

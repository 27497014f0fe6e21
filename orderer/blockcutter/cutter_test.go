package blockcutter

import (
	"fmt"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/orderer/metrics"
	"raftmig/orderer/protoutil"
)

func message(size int) *protoutil.Message {
	return protoutil.NewMessage(&cb.Envelope{Payload: make([]byte, size/2), Signature: make([]byte, size-size/2)})
}

func sizes(batches [][]*protoutil.Message) string {
	var all [][]uint32
	for _, b := range batches {
		var one []uint32
		for _, m := range b {
			one = append(one, m.Size())
		}
		all = append(all, one)
	}
	return fmt.Sprint(all)
}

func TestOrdered(t *testing.T) {
	type step struct {
		size    int
		batches string
		pending bool
	}
	for _, tc := range []struct {
		name  string
		count uint32
		bytes uint32
		steps []step
	}{
		{"a batch is cut when it reaches MaxMessageCount", 3, 100, []step{
			{10, "[]", true}, {10, "[]", true}, {10, "[[10 10 10]]", false}, {10, "[]", true},
		}},
		{"a batch may be exactly PreferredMaxBytes", 10, 100, []step{
			{50, "[]", true}, {50, "[]", true}, {1, "[[50 50]]", true},
		}},
		{"a message that would overflow starts the next batch", 10, 100, []step{
			{60, "[]", true}, {41, "[[60]]", true}, {59, "[]", true},
		}},
		{"a message of exactly PreferredMaxBytes is not alone by rule", 10, 100, []step{
			{100, "[]", true}, {1, "[[100]]", true},
		}},
		{"an oversized message first is a batch of its own", 10, 100, []step{
			{101, "[[101]]", false}, {10, "[]", true},
		}},
		{"an oversized message cuts the pending batch and is a batch of its own", 10, 100, []step{
			{10, "[]", true}, {20, "[]", true}, {101, "[[10 20] [101]]", false},
		}},
		{"with MaxMessageCount 1 nothing is ever pending", 1, 100, []step{
			{10, "[[10]]", false}, {101, "[[101]]", false},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := New(func() *ab.BatchSize {
				return &ab.BatchSize{MaxMessageCount: tc.count, PreferredMaxBytes: tc.bytes}
			})
			for i, s := range tc.steps {
				batches, pending := c.Ordered(message(s.size))
				require.Equal(t, s.batches, sizes(batches), "step %d", i)
				require.Equal(t, s.pending, pending, "step %d", i)
			}
		})
	}
}

func TestLimitsAreReadForEveryMessage(t *testing.T) {
	limits := &ab.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 100}
	c := New(func() *ab.BatchSize { return limits })
	c.Ordered(message(10))
	c.Ordered(message(10))
	limits = &ab.BatchSize{MaxMessageCount: 2, PreferredMaxBytes: 100}
	batches, pending := c.Ordered(message(10))
	require.Equal(t, "[[10 10 10]]", sizes(batches))
	require.False(t, pending)
}

func TestCutOfNothingIsEmpty(t *testing.T) {
	c := New(func() *ab.BatchSize { return &ab.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 100} })
	require.Empty(t, c.Cut())
	c.Ordered(message(10))
	require.Len(t, c.Cut(), 1)
	require.Empty(t, c.Cut())
}

type histogram struct{ observed []float64 }

func (h *histogram) With(...string) metrics.Histogram { return h }
func (h *histogram) Observe(v float64)                { h.observed = append(h.observed, v) }

func TestFillDurationIsObservedOnEveryCut(t *testing.T) {
	h, now := &histogram{}, time.Unix(0, 0)
	c := New(func() *ab.BatchSize { return &ab.BatchSize{MaxMessageCount: 2, PreferredMaxBytes: 100} },
		WithMetrics(&Metrics{BlockFillDuration: h}, "ch", func() time.Time { return now }))
	c.Ordered(message(10))
	now = now.Add(2 * time.Second)
	c.Ordered(message(10))
	c.Ordered(message(200))
	c.Cut()
	require.Equal(t, []float64{2, 0}, h.observed)
}

// Whatever is put in comes out once and in order, no batch breaks a limit, and
// the results are those that the Kafka consenter knows how to record (spec 6.4).
func TestBatchesHoldEveryMessageOnceAndKeepTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := &ab.BatchSize{
			MaxMessageCount:   rapid.Uint32Range(1, 6).Draw(t, "count"),
			PreferredMaxBytes: rapid.Uint32Range(1, 60).Draw(t, "bytes"),
		}
		c := New(func() *ab.BatchSize { return limits })
		var in, out, last []*protoutil.Message
		check := func(batch []*protoutil.Message) {
			var total uint32
			for _, m := range batch {
				total += m.Size()
			}
			if len(batch) == 0 || uint32(len(batch)) > limits.MaxMessageCount {
				t.Fatalf("batch of %d messages", len(batch))
			}
			if total > limits.PreferredMaxBytes && len(batch) > 1 {
				t.Fatalf("%d bytes in %d messages", total, len(batch))
			}
			out, last = append(out, batch...), batch
		}
		for _, size := range rapid.SliceOfN(rapid.IntRange(0, 80), 0, 40).Draw(t, "sizes") {
			m := message(size)
			in = append(in, m)
			batches, pending := c.Ordered(m)
			if len(batches) > 2 || len(batches) == 2 && pending || len(batches) == 0 && !pending {
				t.Fatalf("%d batches, pending %v", len(batches), pending)
			}
			for _, b := range batches {
				check(b)
			}
			if len(batches) > 0 && !pending && last[len(last)-1] != m {
				t.Fatal("nothing is pending, but the message is in no batch")
			}
			if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
				if b := c.Cut(); len(b) > 0 {
					check(b)
				}
			}
		}
		out = append(out, c.Cut()...)
		if len(in) != len(out) {
			t.Fatalf("%d messages in, %d out", len(in), len(out))
		}
		for i := range in {
			if in[i] != out[i] {
				t.Fatalf("message %d is out of order", i)
			}
		}
	})
}

func BenchmarkOrdered(b *testing.B) {
	limits := &ab.BatchSize{MaxMessageCount: 500, PreferredMaxBytes: 2 << 20}
	c := New(func() *ab.BatchSize { return limits })
	m := message(3500)
	b.ReportAllocs()
	for b.Loop() {
		c.Ordered(m)
	}
}

package kafka

import (
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/protoutil"
)

// BenchmarkSequencer decodes and sequences records of 3.5 kB.
func BenchmarkSequencer(b *testing.B) {
	limits := &ab.BatchSize{MaxMessageCount: 500, PreferredMaxBytes: 2 << 20}
	rules := &bench{resubmission: true}
	s := NewSequencer(Metadata{}, 0, blockcutter.New(func() *ab.BatchSize { return limits }), rules)
	m := protoutil.NewMessage(&cb.Envelope{Payload: make([]byte, 3430), Signature: make([]byte, 70)})
	record := Regular{Payload: m.Bytes(), Class: ClassNormal}.Marshal()
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for offset := int64(0); b.Loop(); offset++ {
		msg, err := ParseMessage(record)
		if err != nil {
			b.Fatal(err)
		}
		s.Step(offset, msg)
	}
}

// BenchmarkOrder posts records of 3.5 kB to an in-process cluster.
func BenchmarkOrder(b *testing.B) {
	k := brokers(b)
	ch := newChannel(b, "ch", config(k.ListenAddrs(), 500, time.Second))
	chain := start(b, consenter(b, Options{}), ch)
	m := protoutil.NewMessage(&cb.Envelope{Payload: make([]byte, 3430), Signature: make([]byte, 70)})
	b.Run("one at a time", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, chain.Order(m, 0))
		}
	})
	b.Run("pipelined", func(b *testing.B) {
		errs := make(chan error, 1000)
		pending := 0
		for b.Loop() {
			if pending == cap(errs) {
				require.NoError(b, <-errs)
				pending--
			}
			chain.OrderAsync(m, 0, func(err error) { errs <- err })
			pending++
		}
		for range pending {
			require.NoError(b, <-errs)
		}
	})
}

package kafka

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"raftmig/orderer/localconfig"
	"raftmig/orderer/protoutil"
)

func brokers(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// kafkaConfig retries fast, so that tests of outages are short.
func kafkaConfig() localconfig.Kafka {
	return localconfig.Kafka{
		Version: "1.0.0",
		Retry: localconfig.Retry{
			ShortInterval: 20 * time.Millisecond, ShortTotal: time.Minute,
			LongInterval: 20 * time.Millisecond, LongTotal: time.Minute,
			NetworkTimeouts: localconfig.NetworkTimeouts{DialTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second},
			Metadata:        localconfig.Metadata{RetryMax: 3, RetryBackoff: 20 * time.Millisecond},
			Producer:        localconfig.Producer{RetryMax: 3, RetryBackoff: 20 * time.Millisecond},
			Consumer:        localconfig.Consumer{RetryBackoff: 20 * time.Millisecond},
		},
		Topic: localconfig.Topic{ReplicationFactor: 3},
	}
}

func consenter(t testing.TB, opts Options) *Consenter {
	if opts.Config.Version == "" {
		opts.Config = kafkaConfig()
	}
	c, err := New(opts)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// start makes and starts the chain of a channel and waits for the start phase.
func start(t testing.TB, c *Consenter, ch *channel) *Chain {
	chain := handle(t, c, ch)
	chain.Start()
	waitFor(t, chain.started)
	return chain
}

func handle(t testing.TB, c *Consenter, ch *channel) *Chain {
	made, err := c.HandleChain(ch, ch.metadata())
	require.NoError(t, err)
	chain := made.(*Chain)
	t.Cleanup(chain.Halt)
	return chain
}

func waitFor(t testing.TB, ch <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case <-ch:
	case <-ctx.Done():
		t.Fatal("waited in vain")
	}
}

func eventually(t testing.TB, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 5*time.Millisecond, what)
}

func config(brokers []string, count uint32, timeout time.Duration) *ordererConfig {
	return &ordererConfig{
		brokers: brokers, timeout: timeout, resubmission: true,
		batch: &ab.BatchSize{MaxMessageCount: count, PreferredMaxBytes: 1 << 20, AbsoluteMaxBytes: 10 << 20},
	}
}

func TestMessagesBecomeBlocksByCountAndByTime(t *testing.T) {
	k := brokers(t)
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 2, 50*time.Millisecond))
	chain := start(t, consenter(t, Options{}), ch)
	require.NoError(t, chain.WaitReady())
	require.False(t, isClosed(chain.Errored()))
	for i := range 5 {
		require.NoError(t, chain.Order(normal(i), 0))
	}
	ch.waitHeight(4)
	require.Equal(t, [][]string{{"m0", "m1"}, {"m2", "m3"}, {"m4"}}, ch.contents())
	require.Equal(t, 1, len(k.PartitionInfos("ch")), "the topic is created with one partition")

	require.NoError(t, chain.Configure(message(cb.HeaderType_CONFIG, "ch", "config"), 0))
	ch.waitHeight(5)
	require.NoError(t, chain.Order(normal(5), 1))
	ch.waitHeight(6)
	require.Equal(t, [][]string{{"config"}, {"m5"}}, ch.contents()[3:])
}

func TestThreeOrderersWriteTheSameBlocks(t *testing.T) {
	k := brokers(t)
	var channels []*channel
	var chains []*Chain
	for range 3 {
		ch := newChannel(t, "ch", config(k.ListenAddrs(), 10, 20*time.Millisecond))
		channels, chains = append(channels, ch), append(chains, start(t, consenter(t, Options{}), ch))
	}
	var wg sync.WaitGroup
	const each = 50
	for n, chain := range chains {
		wg.Go(func() {
			for i := range each {
				if err := chain.Order(normal(n*each+i), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	count := func(ch *channel) (n int) {
		for _, b := range ch.contents() {
			n += len(b)
		}
		return n
	}
	for _, ch := range channels {
		eventually(t, func() bool { return count(ch) == 3*each }, "all messages are in blocks")
		require.Equal(t, channels[0].Height(), ch.Height())
		for n := range ch.Height() {
			require.Equal(t, protoutil.MustMarshal(channels[0].Block(n)), protoutil.MustMarshal(ch.Block(n)))
		}
	}
}

func TestChainGoesOnBehindTheLastBlockAfterARestart(t *testing.T) {
	k := brokers(t)
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 3, time.Hour))
	c := consenter(t, Options{})
	chain := start(t, c, ch)
	for i := range 5 { // m3 and m4 are left pending
		require.NoError(t, chain.Order(normal(i), 0))
	}
	ch.waitHeight(2)
	chain.Halt()
	require.True(t, isClosed(chain.Errored()))
	require.EqualError(t, chain.WaitReady(), "consenter for this channel has been halted")
	require.EqualError(t, chain.Order(normal(9), 0), "cannot enqueue")

	ch.reset()
	chain = start(t, c, ch)
	require.NoError(t, chain.Order(normal(5), 0))
	ch.waitHeight(3)
	require.Equal(t, [][]string{{"m0", "m1", "m2"}, {"m3", "m4", "m5"}}, ch.contents())
}

func TestOrderAsyncKeepsTheOrderOfItsCaller(t *testing.T) {
	k := brokers(t)
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 100, 20*time.Millisecond))
	chain := start(t, consenter(t, Options{}), ch)
	const count = 2000
	var want []string
	var acks sync.WaitGroup
	for i := range count {
		want = append(want, fmt.Sprintf("m%d", i))
		acks.Add(1)
		chain.OrderAsync(normal(i), 0, func(err error) {
			defer acks.Done()
			if err != nil {
				t.Error(err)
			}
		})
	}
	acks.Wait()
	ch.waitHeight(1 + count/100)
	var got []string
	for _, b := range ch.contents() {
		got = append(got, b...)
	}
	require.Equal(t, want, got)
}

func TestMessagesOvertakenByAConfigurationAreResubmittedOnceByAll(t *testing.T) {
	k := brokers(t)
	bad := "m1"
	judge := func(msg *protoutil.Message) error {
		p, err := protoutil.EnvelopePayload(msg.Envelope)
		if err == nil && string(p.Data) == bad {
			err = errInvalid
		}
		return err
	}
	var channels []*channel
	var chains []*Chain
	for range 2 {
		ch := newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour))
		ch.judge = judge
		channels, chains = append(channels, ch), append(chains, start(t, consenter(t, Options{}), ch))
	}
	require.NoError(t, chains[0].Configure(message(cb.HeaderType_CONFIG, "ch", "config"), 0))
	for i := range 3 { // validated before the configuration changed
		require.NoError(t, chains[0].Order(normal(i), 0))
	}
	require.NoError(t, chains[1].Order(normal(3), 1))
	for _, ch := range channels {
		ch.waitHeight(5)
	}
	require.NoError(t, chains[1].Order(normal(4), 1))
	for _, ch := range channels {
		ch.waitHeight(6)
		require.Equal(t, channels[0].contents(), ch.contents())
		require.ElementsMatch(t, [][]string{{"config"}, {"m3"}, {"m0"}, {"m2"}, {"m4"}}, ch.contents())
	}
}

func TestAResubmittedConfigurationBlocksIngressUntilItIsBack(t *testing.T) {
	k := brokers(t)
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour))
	chain := start(t, consenter(t, Options{}), ch)
	require.NoError(t, chain.Configure(message(cb.HeaderType_CONFIG, "ch", "first"), 0))
	ch.waitHeight(2)

	writing, goOn := make(chan struct{}), make(chan struct{})
	ch.beforeWrite = func() {
		close(writing)
		<-goOn
	}
	require.NoError(t, chain.Configure(message(cb.HeaderType_CONFIG, "ch", "second"), 0))
	waitFor(t, writing)
	require.False(t, isClosed(chain.ingress.wait()), "the message is resubmitted and not yet in a block")
	close(goOn)
	require.NoError(t, chain.WaitReady())
	require.Equal(t, uint64(3), ch.Height())
	require.Equal(t, [][]string{{"first"}, {"second"}}, ch.contents())
	md, err := ParseMetadata(ch.metadata().Value)
	require.NoError(t, err)
	require.Equal(t, Metadata{LastOffsetPersisted: 3, LastOriginalOffsetProcessed: 2, LastResubmittedConfigOffset: 2}, md)
}

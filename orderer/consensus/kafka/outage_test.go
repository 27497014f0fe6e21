package kafka

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestBrokersGoAndComeBack(t *testing.T) {
	dir := t.TempDir()
	k := brokers(t, kfake.DataDir(dir))
	addrs := k.ListenAddrs()
	var ports []int
	for _, a := range addrs {
		var port int
		_, err := fmt.Sscanf(a, "127.0.0.1:%d", &port)
		require.NoError(t, err)
		ports = append(ports, port)
	}
	ch := newChannel(t, "ch", config(addrs, 1, time.Hour))
	settings := kafkaConfig()
	settings.Retry.NetworkTimeouts.ReadTimeout = 200 * time.Millisecond // how long an interruption is borne
	settings.Retry.NetworkTimeouts.DialTimeout = 200 * time.Millisecond
	chain := start(t, consenter(t, Options{Config: settings}), ch)
	require.NoError(t, chain.Order(normal(0), 0))
	ch.waitHeight(2)

	k.Close()
	waitFor(t, chain.Errored())
	require.EqualError(t, chain.Order(normal(1), 0), "cannot enqueue")

	brokers(t, kfake.DataDir(dir), kfake.Ports(ports...))
	eventually(t, func() bool { return !isClosed(chain.Errored()) }, "the chain is available again")
	require.NoError(t, chain.Order(normal(2), 0))
	ch.waitHeight(3)
	require.Equal(t, "m2", ch.contents()[1][0])
}

func TestLeaderMovesToAnotherBroker(t *testing.T) {
	k := brokers(t)
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour))
	chain := start(t, consenter(t, Options{}), ch)
	for i := range 10 {
		require.NoError(t, chain.Order(normal(i), 0))
		require.NoError(t, k.MoveTopicPartition("ch", 0, int32(i%3)))
	}
	ch.waitHeight(11)
	for i, b := range ch.contents() {
		require.Equal(t, []string{fmt.Sprintf("m%d", i)}, b)
	}
}

func TestHealthCheckFailsOnlyForMissingReplicas(t *testing.T) {
	k := brokers(t)
	settings := kafkaConfig()
	settings.Retry.Producer.RetryMax = 0
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour))
	registry := &healthRegistry{checks: map[string]func(context.Context) error{}}
	chain := handle(t, consenter(t, Options{Config: settings, Health: registry}), ch)
	check := registry.checks["ch/0"]
	require.NotNil(t, check)
	require.NoError(t, check(t.Context()), "before the start there is nothing to check")
	chain.Start()
	waitFor(t, chain.started)
	require.NoError(t, check(t.Context()))

	for code, want := range map[int16]string{
		kerr.NotEnoughReplicas.Code: `^\[replica ids: \[\d \d \d\]\]: kafka server: Messages are rejected since there are fewer in-sync replicas than required`,
		kerr.InvalidRecord.Code:     "",
	} {
		k.ControlKey(0, failProduce(code))
		err := check(t.Context())
		if want == "" {
			require.NoError(t, err)
		} else {
			require.Error(t, err)
			require.Regexp(t, want, err.Error())
		}
	}
}

type healthRegistry struct {
	checks map[string]func(context.Context) error
}

func (r *healthRegistry) RegisterChecker(component string, check func(context.Context) error) error {
	r.checks[component] = check
	return nil
}

// failProduce answers one produce request with an error.
func failProduce(code int16) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(r kmsg.Request) (kmsg.Response, error, bool) {
		request := r.(*kmsg.ProduceRequest)
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic = topic.Topic
			for _, p := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			response.Topics = append(response.Topics, rt)
		}
		return response, nil, true
	}
}

func TestAChainThatCannotStartAsksForTheEndOfTheProcess(t *testing.T) {
	settings := kafkaConfig()
	settings.Retry.ShortTotal, settings.Retry.LongTotal = 50*time.Millisecond, 50*time.Millisecond
	fatal := make(chan error, 1)
	c := consenter(t, Options{Config: settings, Fatal: func(err error) { fatal <- err }})
	k := brokers(t)
	addrs := k.ListenAddrs()
	k.Close()
	chain := handle(t, c, newChannel(t, "ch", config(addrs, 1, time.Hour)))
	require.EqualError(t, chain.WaitReady(), "backing Kafka cluster has not completed booting; try again later")
	require.EqualError(t, chain.Order(normal(0), 0), "cannot enqueue")
	require.True(t, isClosed(chain.Errored()))
	chain.Start()
	waitFor(t, chain.done)
	require.ErrorContains(t, <-fatal, "[channel: ch] Cannot set up producer = ")
}

func TestHaltEndsAStartPhaseThatWaitsForBrokers(t *testing.T) {
	fatal := func(err error) { t.Errorf("nothing is fatal: %s", err) }
	c := consenter(t, Options{Fatal: fatal})
	k := brokers(t)
	addrs := k.ListenAddrs()
	k.Close()
	chain := handle(t, c, newChannel(t, "ch", config(addrs, 1, time.Hour)))
	chain.Start()
	chain.Halt()
	chain.Halt()
	require.True(t, isClosed(chain.done))

	never := handle(t, c, newChannel(t, "ch2", config(addrs, 1, time.Hour)))
	never.Halt()
}

func TestMigratedNodeDoesNotActivateKafkaChains(t *testing.T) {
	tracker := &tracker{}
	c := consenter(t, Options{Inactive: tracker})
	ch := newChannel(t, "ch", config(nil, 1, time.Hour))
	chain, err := c.HandleChain(ch, ch.metadata())
	require.NoError(t, err)
	require.EqualError(t, chain.WaitReady(), "channel ch is not serviced by me")
	require.Equal(t, []string{"ch"}, tracker.channels)
}

type tracker struct{ channels []string }

func (t *tracker) TrackChain(channelID string, _ *cb.Block) {
	t.channels = append(t.channels, channelID)
}

func TestUnreadableMetadataIsRefused(t *testing.T) {
	ch := newChannel(t, "ch", config(nil, 1, time.Hour))
	_, err := consenter(t, Options{}).HandleChain(ch, &cb.Metadata{Value: []byte{0xff}})
	require.EqualError(t, err, "[channel: ch] Ledger may be corrupted:cannot unmarshal orderer metadata in most recent block")
}

func TestAnUnreadableRecordIsSkipped(t *testing.T) {
	k := brokers(t)
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour))
	chain := start(t, consenter(t, Options{}), ch)
	for _, value := range [][]byte{{0xff}, {}, {0x0a, 0x02, 0x18, 0x09}, []byte("not a message")} {
		_, err := chain.producer.post(t.Context(), value)
		require.NoError(t, err)
	}
	require.NoError(t, chain.Order(normal(0), 0))
	ch.waitHeight(2)
	require.Equal(t, [][]string{{"m0"}}, ch.contents())
}

func TestATopicThatContradictsTheLedgerEndsTheChain(t *testing.T) {
	k := brokers(t)
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour))
	chain := start(t, consenter(t, Options{}), ch)
	_, err := chain.producer.post(t.Context(), TimeToCut{7}.Marshal())
	require.NoError(t, err)
	waitFor(t, chain.done)
	require.True(t, isClosed(chain.Errored()))
	require.NoError(t, chain.Order(normal(0), 0), "messages are still taken")
}

func TestTimeToCutIsPostedAgainIfItCouldNotBePosted(t *testing.T) {
	k := brokers(t)
	settings := kafkaConfig()
	settings.Retry.Producer.RetryMax = 0
	ch := newChannel(t, "ch", config(k.ListenAddrs(), 10, 20*time.Millisecond))
	chain := start(t, consenter(t, Options{Config: settings}), ch)
	var failed atomic.Int32
	k.ControlKey(0, func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		records := r.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records
		if !bytes.Contains(records, TimeToCut{1}.Marshal()) || failed.Add(1) > 2 {
			return nil, nil, false
		}
		return failProduce(kerr.InvalidRecord.Code)(r)
	})
	require.NoError(t, chain.Order(normal(0), 0))
	ch.waitHeight(2)
	require.Equal(t, [][]string{{"m0"}}, ch.contents())
	require.GreaterOrEqual(t, failed.Load(), int32(3))
}

func TestBrokersThatRefuseTheProtocolAreNamed(t *testing.T) {
	k := brokers(t) // takes records from protocol 0.11 on
	core, logs := observer.New(zap.WarnLevel)
	settings := kafkaConfig()
	settings.Version = ""
	settings.Retry.ShortTotal, settings.Retry.LongTotal = 50*time.Millisecond, 50*time.Millisecond
	c, err := New(Options{Config: settings, Logger: zap.New(core).Sugar()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	chain := handle(t, c, newChannel(t, "ch", config(k.ListenAddrs(), 1, time.Hour)))
	chain.Start()
	waitFor(t, chain.done)
	require.NotEmpty(t, logs.FilterMessageSnippet("does not take records of Kafka.Version 0.10.2.0").All())
	require.NotEmpty(t, logs.FilterMessageSnippet("[channel: ch] Posting the CONNECT message failed and is tried every 20ms").All())
	require.NotEmpty(t, logs.FilterMessageSnippet("[channel: ch] Cannot post CONNECT message = ").All())
}

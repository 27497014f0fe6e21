package broker

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

// The test binary plays the broker process that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("BROKER_TEST_PORTS") == "" {
		os.Exit(m.Run())
	}
	var ports []int
	for p := range strings.SplitSeq(os.Getenv("BROKER_TEST_PORTS"), ",") {
		n, err := strconv.Atoi(p)
		if err != nil {
			panic(err)
		}
		ports = append(ports, n)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, Options{Ports: ports, DataDir: os.Getenv("BROKER_TEST_DATA"), Log: os.Stdout}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// clientConfig is what Fabric's Kafka consenter asks of sarama (spec 3.8).
func clientConfig(t *testing.T, version string) *sarama.Config {
	t.Helper()
	c := sarama.NewConfig()
	v, err := sarama.ParseKafkaVersion(version)
	require.NoError(t, err)
	c.Version = v
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.MaxMessageBytes = 100 << 20
	c.Net.ReadTimeout = 10 * time.Second
	return c
}

func createTopic(t *testing.T, addresses []string, topic string) {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(addresses, clientConfig(t, MinVersion))
	require.NoError(t, err)
	defer admin.Close()
	require.NoError(t, admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: int16(min(3, len(addresses)))}, false))
}

func produce(t *testing.T, addresses []string, topic string, from, to int) {
	t.Helper()
	p, err := sarama.NewSyncProducer(addresses, clientConfig(t, MinVersion))
	require.NoError(t, err)
	defer p.Close()
	for i := from; i < to; i++ {
		_, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint("message ", i))})
		require.NoError(t, err)
		require.Equal(t, int64(i), offset)
	}
}

func consume(t *testing.T, addresses []string, topic string, n int) []string {
	t.Helper()
	c, err := sarama.NewConsumer(addresses, clientConfig(t, MinVersion))
	require.NoError(t, err)
	defer c.Close()
	pc, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	require.NoError(t, err)
	defer pc.Close()
	var got []string
	deadline := time.After(20 * time.Second)
	for len(got) < n {
		select {
		case m := <-pc.Messages():
			got = append(got, string(m.Value))
		case <-deadline:
			t.Fatalf("got %d of %d messages", len(got), n)
		}
	}
	return got
}

func messages(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint("message ", i))
	}
	return all
}

func TestTopicsSurviveAnOrderlyRestartOnTheSamePorts(t *testing.T) {
	o := Options{Ports: freePorts(t, 4), DataDir: filepath.Join(t.TempDir(), "data")}
	c, err := Start(o)
	require.NoError(t, err)
	addresses := c.Addresses()
	require.Len(t, addresses, 4)
	createTopic(t, addresses, "ch1")
	produce(t, addresses, "ch1", 0, 20)
	require.NoError(t, c.Close())

	c, err = Start(o)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	require.Equal(t, addresses, c.Addresses())
	produce(t, addresses, "ch1", 20, 25)
	require.Equal(t, messages(25), consume(t, addresses, "ch1", 25))
}

// startProcess starts the broker as a process and waits for its line.
func startProcess(t *testing.T, ports []int, data string) *exec.Cmd {
	t.Helper()
	var text []string
	for _, p := range ports {
		text = append(text, strconv.Itoa(p))
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"BROKER_TEST_PORTS=" + strings.Join(text, ","), "BROKER_TEST_DATA=" + data}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), Ready) {
			return cmd
		}
	}
	t.Fatal("the broker process ended before it was ready")
	return nil
}

func TestAcknowledgedMessagesSurviveAKill(t *testing.T) {
	ports, data := freePorts(t, 2), filepath.Join(t.TempDir(), "data")
	addresses := []string{fmt.Sprint("127.0.0.1:", ports[0]), fmt.Sprint("127.0.0.1:", ports[1])}
	cmd := startProcess(t, ports, data)
	createTopic(t, addresses, "ch1")
	produce(t, addresses, "ch1", 0, 30)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	cmd = startProcess(t, ports, data)
	require.Equal(t, messages(30), consume(t, addresses, "ch1", 30))
	produce(t, addresses, "ch1", 30, 31)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "SIGTERM ends it in order")
}

func TestALargeMessageFits(t *testing.T) {
	c, err := Start(Options{Ports: []int{0}, DataDir: filepath.Join(t.TempDir(), "data")})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	createTopic(t, c.Addresses(), "ch1")
	p, err := sarama.NewSyncProducer(c.Addresses(), clientConfig(t, MinVersion))
	require.NoError(t, err)
	defer p.Close()
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "ch1", Value: sarama.ByteEncoder(make([]byte, 12<<20))})
	require.NoError(t, err)
}

func TestTwoProcessesCannotShareADataFolder(t *testing.T) {
	o := Options{Ports: []int{0}, DataDir: filepath.Join(t.TempDir(), "data")}
	c, err := Start(o)
	require.NoError(t, err)
	_, err = Start(o)
	require.ErrorContains(t, err, "another broker process uses the data folder")
	require.NoError(t, c.Close())
	c, err = Start(o)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestAPortInUseIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	o := Options{Ports: []int{l.Addr().(*net.TCPAddr).Port}, DataDir: filepath.Join(t.TempDir(), "data")}
	_, err = Start(o)
	require.ErrorContains(t, err, "address already in use")
	o.Ports = []int{0}
	c, err := Start(o)
	require.NoError(t, err, "the failed start left no lock")
	require.NoError(t, c.Close())
}

func TestRunSaysThatItIsReadyAndEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	require.NoError(t, Run(ctx, Options{Ports: []int{0}, DataDir: filepath.Join(t.TempDir(), "data"), Log: &log}))
	require.Contains(t, log.String(), Ready)
	require.Contains(t, log.String(), "have ended")
}

func TestIncompleteOptionsAreRefused(t *testing.T) {
	_, err := Start(Options{DataDir: t.TempDir()})
	require.ErrorContains(t, err, "at least one port")
	_, err = Start(Options{Ports: []int{0}})
	require.ErrorContains(t, err, "needs a data folder")
}

func TestKafkaVersionsBelow10AreRefused(t *testing.T) {
	for version, want := range map[string]string{
		"1.0.0":    "",
		"2.8.1":    "",
		"10.0.0":   "",
		"0.10.2.0": "must be 1.0.0 or later",
		"0.11.0.2": "must be 1.0.0 or later",
		"1.0":      "is not a Kafka version",
		"one":      "is not a Kafka version",
		"":         "is not a Kafka version",
	} {
		err := CheckVersion(version)
		if want == "" {
			require.NoError(t, err, version)
		} else {
			require.ErrorContains(t, err, want, version)
		}
	}
}

package apache

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// installation makes a folder that looks like an installation, and a Java that
// tells version.
func installation(t *testing.T, version string, jars ...string) string {
	t.Helper()
	home := t.TempDir()
	script := "#!/bin/sh\necho 'openjdk version \"" + version + "\"' >&2\n"
	require.NoError(t, os.MkdirAll(filepath.Join(home, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o755))
	t.Setenv("JAVA_HOME", home)
	require.NoError(t, os.Mkdir(filepath.Join(home, "libs"), 0o755))
	for _, jar := range jars {
		require.NoError(t, os.WriteFile(filepath.Join(home, "libs", jar), nil, 0o644))
	}
	return home
}

func TestAnInstallationIsFoundOrTheErrorSaysWhatToDo(t *testing.T) {
	const kafka, zooKeeper = "kafka_2.13-3.9.1.jar", "zookeeper-3.8.4.jar"
	for name, c := range map[string]struct {
		java string
		jars []string
		err  string
	}{
		"complete":            {"17.0.15", []string{kafka, zooKeeper}, ""},
		"Java 8":              {"1.8.0_402", []string{kafka, zooKeeper}, "install Java 17"},
		"Java of the future":  {"25", []string{kafka, zooKeeper}, "install Java 17"},
		"Kafka 4":             {"17.0.15", []string{"kafka_2.13-4.0.0.jar", zooKeeper}, "3.9 is the last line"},
		"without ZooKeeper":   {"17.0.15", []string{kafka}, "lacks the jars"},
		"only Kafka's client": {"17.0.15", []string{"kafka-clients-3.9.1.jar", zooKeeper}, "lacks the jars"},
	} {
		t.Run(name, func(t *testing.T) {
			home := installation(t, c.java, c.jars...)
			in, err := Find(home)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, &Installation{Java: filepath.Join(home, "bin", "java"), Libs: filepath.Join(home, "libs"), Kafka: "3.9.1"}, in)
		})
	}
	t.Run("no jars", func(t *testing.T) {
		installation(t, "17.0.15")
		t.Chdir(t.TempDir())
		_, err := Find("")
		require.ErrorContains(t, err, "make kafka")
	})
}

func TestSizesHaveTheOrderThatTheGuideAsksFor(t *testing.T) {
	for _, absolute := range []uint32{1, 10 << 20, 99 << 20, 100 << 20, 200 << 20} {
		c := &Cluster{
			Host: "127.0.0.1", Brokers: make([]Broker, 4), ZooKeeper: []Node{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}},
			Replication: 3, MinISR: 2, AbsoluteMaxBytes: absolute,
		}
		files, err := c.Files()
		require.NoError(t, err)
		require.Len(t, files, 4*2+3*3)
		text := string(files["kafka/kafka3/server.properties"])
		value := func(key string) int {
			m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(key) + `=(-?\d+)$`).FindStringSubmatch(text)
			require.NotNil(t, m, key)
			v, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			return v
		}
		require.Less(t, int(absolute), value("replica.fetch.max.bytes"))
		require.LessOrEqual(t, value("replica.fetch.max.bytes"), value("message.max.bytes"))
		require.LessOrEqual(t, value("message.max.bytes"), value("socket.request.max.bytes"))
		require.Equal(t, 3, value("broker.id"))
		require.Equal(t, 3, value("default.replication.factor"))
		require.Equal(t, 2, value("min.insync.replicas"))
		require.Equal(t, -1, value("log.retention.ms"))
		require.Contains(t, text, "\nunclean.leader.election.enable=false\n")
		require.Contains(t, text, "\nzookeeper.connect=127.0.0.1:1,127.0.0.1:4,127.0.0.1:7\n")
		require.Equal(t, "2\n", string(files["kafka/zookeeper1/data/myid"]))
	}
}

func TestClientsProveThemselvesAsChosenAndBrokersHaveAListenerOfTheirOwn(t *testing.T) {
	for protocol, c := range map[string]*Cluster{
		"SSL":            {TLS: true},
		"SASL_PLAINTEXT": {User: "orderer", Password: "secret"},
		"SASL_SSL":       {TLS: true, User: "orderer", Password: "secret"},
	} {
		t.Run(protocol, func(t *testing.T) {
			c.Host, c.Brokers = "127.0.0.1", []Broker{{Client: 1, Internal: 2}}
			files, err := c.Files()
			require.NoError(t, err)
			text := string(files["kafka/kafka0/server.properties"])
			require.Contains(t, text, "\nlisteners=CLIENT://127.0.0.1:1,INTERNAL://127.0.0.1:2\n")
			require.Contains(t, text, "\nlistener.security.protocol.map=CLIENT:"+protocol+",INTERNAL:PLAINTEXT\n")
			require.Contains(t, text, "\ninter.broker.listener.name=INTERNAL\n")
			if c.TLS {
				require.Contains(t, text, "\nssl.client.auth=required\n")
			} else {
				require.NotContains(t, text, "ssl.")
			}
			if c.User != "" {
				require.Contains(t, text, "user_orderer=\"secret\";\n")
			} else {
				require.NotContains(t, text, "sasl")
			}
		})
	}
}

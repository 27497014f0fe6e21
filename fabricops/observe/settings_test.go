package observe

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// As Fabric's orderers and ours log their configuration at the start: lines of
// their own, or one message in JSON.
func TestTheKafkaSectionIsReadFromTheLogOfTheLastStart(t *testing.T) {
	text := "2026-11-22 01:49:56.001 UTC 0001 INFO [orderer.common.server] prettyPrintStruct -> Orderer config values:\n" +
		"\tGeneral.LedgerType = \"file\"\n\tKafka.TLS.Enabled = true\n\tKafka.Version = 0.10.2.0\n\tKafka.SASLPlain.Enabled = false\n" +
		"2026-11-22 01:49:57.001 UTC 0002 INFO [orderer.common.server] prettyPrintStruct -> Orderer config values:\n" +
		"\tKafka.Version = 1.0.0\n"
	json := `{"level":"info","name":"orderer.common.server","msg":"Orderer config values:\n\tKafka.TLS.Enabled = false\n\tKafka.Version = 0.11.0.0\n\tDebug = x","ts":1}` + "\n"
	dir := t.TempDir()
	var sources []Source
	for name, content := range map[string]string{"plain": text, "json": json, "silent": "nothing\n Kafka.Version is good\n"} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		sources = append(sources, Source{name, file})
	}
	o := New(sources)
	defer o.Close()
	require.NoError(t, o.CaughtUp(t.Context()))
	require.Equal(t, "1.0.0", o.Setting("plain", "Kafka.Version"))
	require.Empty(t, o.Setting("plain", "Kafka.TLS.Enabled"), "of the last start")
	require.Equal(t, "0.11.0.0", o.Setting("json", "Kafka.Version"))
	require.Equal(t, "false", o.Setting("json", "Kafka.TLS.Enabled"))
	require.Empty(t, o.Setting("silent", "Kafka.Version"))
	require.Empty(t, o.Setting("nobody", "Kafka.Version"))
}

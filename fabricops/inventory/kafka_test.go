package inventory

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBrokersAreAskedWhereTheInventorySays(t *testing.T) {
	n := &Network{Brokers: []Process{{Address: "a:1", Addresses: []string{"b:2", "a:1"}}, {Address: "c:3"}}}
	require.Equal(t, []string{"a:1", "b:2", "c:3"}, n.KafkaAddresses())
	n.Kafka = &Kafka{Version: "1.0.0"}
	require.Equal(t, []string{"a:1", "b:2", "c:3"}, n.KafkaAddresses())
	n.Kafka.Bootstrap = []string{"d:4"}
	require.Equal(t, []string{"d:4"}, n.KafkaAddresses())
}

func TestThePasswordIsAFilesFirstLineAndNobodyElseReadsIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	s := KafkaSASL{User: "orderer", PasswordFile: file}
	_, err := s.Password()
	require.Error(t, err)
	for content, want := range map[string]string{"secret": "secret", "secret\r\nx": "secret", " a b \n": " a b ", "\nsecret": "", "": ""} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		got, err := s.Password()
		require.Equal(t, want, got)
		if want == "" {
			require.ErrorContains(t, err, "must be the password")
		}
	}
	require.NoError(t, os.WriteFile(file, []byte("secret"), 0o600))
	faulty := func() error {
		var f faults
		(&Kafka{SASL: s}).checkFiles(&f)
		return f.err()
	}
	require.NoError(t, faulty())
	require.NoError(t, os.Chmod(file, 0o640))
	require.ErrorContains(t, faulty(), "others may read")
	require.NotContains(t, faulty().Error(), "secret")
	got, err := (&KafkaSASL{}).Password()
	require.NoError(t, err)
	require.Empty(t, got)
}

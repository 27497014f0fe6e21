package channelconfig_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/protoutil"
)

// The versions of Fabric that wrote testdata: a network on Kafka with one
// application channel, migrated to Raft.
var versions = []string{"2.2.15", "2.5.16"}

func gunzip(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	r, err := gzip.NewReader(bytes.NewReader(raw))
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

// envelopes returns the envelopes of all blocks in a block file (spec 7.9).
func envelopes(t testing.TB, name string) [][]byte {
	t.Helper()
	var out [][]byte
	for rest := gunzip(t, name); len(rest) > 0; {
		record, n := protowire.ConsumeBytes(rest)
		require.Positive(t, n)
		rest = rest[n:]
		varint := func() uint64 {
			v, n := protowire.ConsumeVarint(record)
			require.Positive(t, n)
			record = record[n:]
			return v
		}
		field := func() []byte {
			v, n := protowire.ConsumeBytes(record)
			require.Positive(t, n)
			record = record[n:]
			return v
		}
		varint() // number
		field()  // data hash
		field()  // previous hash
		for range varint() {
			out = append(out, field())
		}
	}
	require.NotEmpty(t, out)
	return out
}

// recorded is a configuration that Fabric wrote.
type recorded struct {
	env    *cb.Envelope
	header *cb.ChannelHeader
	config *cb.ConfigEnvelope
}

// config decodes an envelope if it holds a configuration; that of a new
// channel lies inside an ORDERER_TRANSACTION.
func config(t testing.TB, raw []byte) (recorded, bool) {
	t.Helper()
	env, err := protoutil.UnmarshalEnvelope(raw)
	require.NoError(t, err)
	payload, err := protoutil.EnvelopePayload(env)
	require.NoError(t, err)
	h, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	require.NoError(t, err)
	switch cb.HeaderType(h.Type) {
	case cb.HeaderType_ORDERER_TRANSACTION:
		return config(t, payload.Data)
	case cb.HeaderType_CONFIG:
		c, err := protoutil.ConfigEnvelope(env)
		require.NoError(t, err)
		return recorded{env, h, c}, true
	}
	return recorded{}, false
}

// ledgerConfigs returns the configurations of a channel's ledger in order.
func ledgerConfigs(t testing.TB, version, channel string) []recorded {
	t.Helper()
	var out []recorded
	for _, raw := range envelopes(t, version+"."+channel+".blockfile.gz") {
		if c, ok := config(t, raw); ok && c.header.ChannelId == channel {
			out = append(out, c)
		}
	}
	return out
}

// topicConfigs returns the configurations in a channel's Kafka topic, those of
// new channels included.
func topicConfigs(t testing.TB, version, channel string) []recorded {
	t.Helper()
	var out []recorded
	lines := bufio.NewScanner(bytes.NewReader(gunzip(t, version+"."+channel+".topic.jsonl.gz")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r struct{ Value []byte }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		if raw := regularPayload(t, r.Value); raw != nil {
			if c, ok := config(t, raw); ok {
				out = append(out, c)
			}
		}
	}
	require.NoError(t, lines.Err())
	return out
}

// regularPayload returns the envelope in a KafkaMessage of the regular kind (spec 3.1).
func regularPayload(t testing.TB, value []byte) []byte {
	num, _, n := protowire.ConsumeTag(value)
	require.Positive(t, n)
	if num != 1 {
		return nil
	}
	regular, n := protowire.ConsumeBytes(value[n:])
	require.Positive(t, n)
	num, _, n = protowire.ConsumeTag(regular)
	require.EqualValues(t, 1, num)
	payload, n := protowire.ConsumeBytes(regular[n:])
	require.Positive(t, n)
	return payload
}

// canonical returns the deterministic encoding of m.
func canonical(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := protoutil.Marshal(m)
	require.NoError(t, err)
	return b
}

func genesis(t testing.TB, version string) recorded {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + version + ".genesis.block")
	require.NoError(t, err)
	block, err := protoutil.UnmarshalBlock(raw)
	require.NoError(t, err)
	c, ok := config(t, block.Data.Data[0])
	require.True(t, ok)
	return c
}

package kafkaops

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/runbook"
)

// record encodes a KafkaMessage (spec 3.1).
func record(kind protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, kind, protowire.BytesType), body)
}

func varints(pairs ...uint64) (b []byte) {
	for i := 0; i < len(pairs); i += 2 {
		b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(pairs[i]), protowire.VarintType), pairs[i+1])
	}
	return b
}

// message is a regular record with a payload.
func message(class, sequence, original uint64) []byte {
	payload := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("an envelope"))
	return record(fieldRegular, append(payload, varints(2, sequence, 3, class, 4, original)...))
}

// What an orderer in maintenance mode makes of a record (spec 3.5, 3.6).
func TestRecordsBehindTheLastBlockAreCountedByWhatAnOrdererMakesOfThem(t *testing.T) {
	p := Position{LastOffset: 40, LastOriginal: 30, Sequence: 7}
	for name, c := range map[string]struct {
		value []byte
		want  runbook.FlushRecords
	}{
		"CONNECT as it is on the wire": {[]byte{0x1a, 0x00}, runbook.FlushRecords{Connect: 1}},
		"CONNECT with a payload":       {record(fieldConnect, []byte{0x0a, 1, 'x'}), runbook.FlushRecords{Connect: 1}},
		"TTC":                          {record(fieldTimeToCut, varints(1, 12)), runbook.FlushRecords{TimeToCut: 1}},
		"a transaction of the configuration before":           {message(classNormal, 6, 0), runbook.FlushRecords{Refused: 1}},
		"a configuration update that another one overtook":    {message(classConfig, 6, 0), runbook.FlushRecords{Refused: 1}},
		"a transaction of this configuration":                 {message(classNormal, 7, 0), runbook.FlushRecords{Pending: 1, FirstPending: 41}},
		"a configuration update that no ledger has":           {message(classConfig, 7, 0), runbook.FlushRecords{Pending: 1, FirstPending: 41}},
		"the resubmission of something that is in a block":    {message(classNormal, 7, 30), runbook.FlushRecords{Repeated: 1}},
		"the resubmission of something that is in none":       {message(classNormal, 7, 31), runbook.FlushRecords{Pending: 1, FirstPending: 41}},
		"a message of Fabric 1.0, validated by every orderer": {message(classUnknown, 0, 0), runbook.FlushRecords{Pending: 1, FirstPending: 41}},
		"nothing":          {nil, runbook.FlushRecords{Void: 1}},
		"not protobuf":     {[]byte{0x0a, 200, 1}, runbook.FlushRecords{Void: 1}},
		"damaged inside":   {record(fieldRegular, []byte{0x0a, 200}), runbook.FlushRecords{Void: 1}},
		"an unknown field": {record(9, []byte("x")), runbook.FlushRecords{Void: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var got runbook.FlushRecords
			count(&got, 41, c.value, p)
			require.Equal(t, c.want, got)
		})
	}
}

func TestKafkaMetadataOfABlock(t *testing.T) {
	last, original, err := KafkaMetadata(varints(1, 17, 2, 9, 3, 4))
	require.NoError(t, err)
	require.EqualValues(t, 17, last)
	require.EqualValues(t, 9, original)
	last, _, err = KafkaMetadata(nil)
	require.NoError(t, err)
	require.EqualValues(t, -1, last, "the block did not come from Kafka")
	_, _, err = KafkaMetadata([]byte{0x08})
	require.Error(t, err)
}

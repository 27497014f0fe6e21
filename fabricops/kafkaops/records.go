package kafkaops

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/runbook"
)

// Position is how far one orderer's ledger of a channel has come, as its last
// block says (spec 3.1, 3.5).
type Position struct {
	Node   string
	Height uint64
	// LastOffset is last_offset_persisted, -1 if no block came from Kafka.
	LastOffset int64
	// LastOriginal is last_original_offset_processed.
	LastOriginal int64
	// Sequence is the config sequence.
	Sequence uint64
	// Err says why the ledger cannot be read; the rest is then void.
	Err error
}

// KafkaMetadata decodes the consenter metadata of a block that came from Kafka.
func KafkaMetadata(value []byte) (lastOffset, lastOriginal int64, err error) {
	if len(value) == 0 {
		return -1, 0, nil
	}
	err = fields(value, func(num protowire.Number, v uint64, _ []byte) {
		switch num {
		case 1:
			lastOffset = int64(v)
		case 2:
			lastOriginal = int64(v)
		}
	})
	return lastOffset, lastOriginal, err
}

// Kinds of regular records (KafkaMessageRegular.Class).
const (
	classUnknown = 0
	classNormal  = 1
	classConfig  = 2
)

// regular is a KafkaMessageRegular without its payload.
type regular struct {
	sequence uint64
	class    uint64
	original int64
}

// count adds one record to counts: what an orderer makes of it whose ledger
// stands at p and whose channel is in maintenance mode (spec 3.5, 3.6).
// A message that was made under an older configuration is validated once more,
// and in maintenance mode refused; one of the present configuration would go
// into a block.
func count(counts *runbook.FlushRecords, offset int64, value []byte, p Position) {
	kind, r, err := parseRecord(value)
	switch {
	case err != nil || kind == 0:
		counts.Void++
	case kind == fieldConnect:
		counts.Connect++
	case kind == fieldTimeToCut:
		counts.TimeToCut++
	case r.original != 0 && r.original <= p.LastOriginal:
		counts.Repeated++
	case r.class != classUnknown && r.sequence < p.Sequence:
		counts.Refused++
	default:
		if counts.Pending == 0 {
			counts.FirstPending = offset
		}
		counts.Pending++
	}
}

// Fields of KafkaMessage.
const (
	fieldRegular   = 1
	fieldTimeToCut = 2
	fieldConnect   = 3
)

// parseRecord decodes the value of a record: which message it is, 0 for none.
func parseRecord(value []byte) (kind protowire.Number, r regular, err error) {
	var inner error
	err = fields(value, func(num protowire.Number, _ uint64, body []byte) {
		if body == nil || num < fieldRegular || num > fieldConnect {
			return
		}
		kind = num
		if num == fieldRegular {
			inner = errors.Join(inner, fields(body, func(num protowire.Number, v uint64, _ []byte) {
				switch num {
				case 2:
					r.sequence = v
				case 3:
					r.class = v
				case 4:
					r.original = int64(v)
				}
			}))
		}
	})
	return kind, r, errors.Join(err, inner)
}

var errDamaged = errors.New("malformed or truncated message")

// fields calls visit for each field: with its value if it is a varint, with
// its content, not nil, if it is bytes.
func fields(b []byte, visit func(num protowire.Number, v uint64, body []byte)) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errDamaged
		}
		b = b[n:]
		var v uint64
		var body []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			if body, n = protowire.ConsumeBytes(b); body == nil {
				body = []byte{}
			}
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errDamaged
		}
		b = b[n:]
		visit(num, v, body)
	}
	return nil
}

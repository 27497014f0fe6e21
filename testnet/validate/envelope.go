package validate

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

var errNoEnvelope = errors.New("not an envelope")

// field returns the last occurrence of the length-delimited field num of a
// marshalled message; nil if there is none.
func field(message []byte, num protowire.Number) ([]byte, error) {
	var found []byte
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil, errNoEnvelope
		}
		message = message[size:]
		if n == num && kind == protowire.BytesType {
			v, size := protowire.ConsumeBytes(message)
			if size < 0 {
				return nil, errNoEnvelope
			}
			found, message = v, message[size:]
			continue
		}
		size = protowire.ConsumeFieldValue(n, kind, message)
		if size < 0 {
			return nil, errNoEnvelope
		}
		message = message[size:]
	}
	return found, nil
}

// path follows a chain of length-delimited fields.
func path(message []byte, nums ...protowire.Number) ([]byte, error) {
	var err error
	for _, n := range nums {
		if message, err = field(message, n); err != nil {
			return nil, err
		}
	}
	return message, nil
}

// number returns the varint field num, 0 if there is none.
func number(message []byte, num protowire.Number) (uint64, error) {
	var found uint64
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return 0, errNoEnvelope
		}
		message = message[size:]
		if n == num && kind == protowire.VarintType {
			found, _ = protowire.ConsumeVarint(message)
		}
		if size = protowire.ConsumeFieldValue(n, kind, message); size < 0 {
			return 0, errNoEnvelope
		}
		message = message[size:]
	}
	return found, nil
}

// Header types that matter here (spec 6.2).
const (
	typeConfig             = 1
	typeOrdererTransaction = 4
)

// header returns type and transaction ID of an envelope:
// Envelope.payload(1).header(1).channel_header(1){type 1, tx_id 5}.
func header(envelope []byte) (kind uint64, txID string, err error) {
	ch, err := path(envelope, 1, 1, 1)
	if err != nil {
		return 0, "", err
	}
	if kind, err = number(ch, 1); err != nil {
		return 0, "", err
	}
	id, err := field(ch, 5)
	return kind, string(id), err
}

// consensus returns ConsensusType.type and .state of a config envelope:
// Payload.data(2) ConfigEnvelope.config(1) Config.channel_group(2), in it
// groups["Orderer"], in that values["ConsensusType"].
func consensus(envelope []byte) (kind string, maintenance bool, err error) {
	group, err := path(envelope, 1, 2, 1, 2)
	if err != nil {
		return "", false, err
	}
	ord, err := entry(group, 2, "Orderer")
	if err != nil {
		return "", false, err
	}
	value, err := entry(ord, 3, "ConsensusType")
	if err != nil {
		return "", false, err
	}
	ct, err := field(value, 2)
	if err != nil {
		return "", false, err
	}
	name, err := field(ct, 1)
	if err != nil {
		return "", false, err
	}
	state, err := number(ct, 3)
	return string(name), state == 1, err
}

// entry returns the value of key in the map field num.
func entry(message []byte, num protowire.Number, key string) ([]byte, error) {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil, errNoEnvelope
		}
		message = message[size:]
		if n == num && kind == protowire.BytesType {
			v, size := protowire.ConsumeBytes(message)
			if size < 0 {
				return nil, errNoEnvelope
			}
			message = message[size:]
			k, err := field(v, 1)
			if err != nil {
				return nil, err
			}
			if string(k) == key {
				return field(v, 2)
			}
			continue
		}
		if size = protowire.ConsumeFieldValue(n, kind, message); size < 0 {
			return nil, errNoEnvelope
		}
		message = message[size:]
	}
	return nil, nil
}

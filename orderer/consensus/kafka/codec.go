package kafka

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of Fabric's kafka.proto (spec 3.1). Decoding is as lenient as
// protobuf's: unknown fields, and known ones of another wire type, are skipped;
// of a repeated field the last value counts.

// Class says how a regular record's message was classified when it was posted.
type Class int32

// The classes. Records of orderers before Fabric 1.1 are ClassUnknown.
const (
	ClassUnknown Class = 0
	ClassNormal  Class = 1
	ClassConfig  Class = 2
)

// String is the name of the class in kafka.proto.
func (c Class) String() string {
	switch c {
	case ClassUnknown:
		return "UNKNOWN"
	case ClassNormal:
		return "NORMAL"
	case ClassConfig:
		return "CONFIG"
	}
	return fmt.Sprint(int32(c))
}

// Message is the content of a record's value: Regular, TimeToCut or Connect.
type Message interface {
	// Marshal returns the record's value, a KafkaMessage.
	Marshal() []byte
}

// Regular carries an envelope.
type Regular struct {
	Payload   []byte // a marshalled common.Envelope
	ConfigSeq uint64 // the config sequence under which it was found valid
	Class     Class
	// OriginalOffset is the offset of the record of which this one is a
	// resubmission; 0 if it is none.
	OriginalOffset int64
}

// TimeToCut asks that the block of this number be cut from what is pending.
type TimeToCut struct{ BlockNumber uint64 }

// Connect means nothing; it makes sure that the partition has a record.
type Connect struct{ Payload []byte }

// Metadata is KafkaMetadata: the consenter metadata of a block.
type Metadata struct {
	LastOffsetPersisted         int64
	LastOriginalOffsetProcessed int64
	LastResubmittedConfigOffset int64
}

const (
	fieldRegular   = 1
	fieldTimeToCut = 2
	fieldConnect   = 3
)

// Marshal implements Message.
func (m Regular) Marshal() []byte {
	body := appendBytesField(nil, 1, m.Payload)
	body = appendVarintField(body, 2, m.ConfigSeq)
	body = appendVarintField(body, 3, uint64(m.Class))
	return wrap(fieldRegular, appendVarintField(body, 4, uint64(m.OriginalOffset)))
}

// Marshal implements Message.
func (m TimeToCut) Marshal() []byte {
	return wrap(fieldTimeToCut, appendVarintField(nil, 1, m.BlockNumber))
}

// Marshal implements Message.
func (m Connect) Marshal() []byte { return wrap(fieldConnect, appendBytesField(nil, 1, m.Payload)) }

// Marshal returns the encoding of the metadata.
func (m Metadata) Marshal() []byte {
	b := appendVarintField(nil, 1, uint64(m.LastOffsetPersisted))
	b = appendVarintField(b, 2, uint64(m.LastOriginalOffsetProcessed))
	return appendVarintField(b, 3, uint64(m.LastResubmittedConfigOffset))
}

// ParseMessage decodes a record's value. A value without any of the three
// messages gives nil. The message refers to b.
func ParseMessage(b []byte) (Message, error) {
	var m Message
	err := eachField(b, func(num protowire.Number, v field) error {
		if v.typ != protowire.BytesType {
			return nil
		}
		switch num {
		case fieldRegular:
			r, _ := m.(Regular) // a repeated message is merged with the one before
			err := r.parse(v.bytes)
			m = r
			return err
		case fieldTimeToCut:
			t, _ := m.(TimeToCut)
			err := t.parse(v.bytes)
			m = t
			return err
		case fieldConnect:
			c, _ := m.(Connect)
			err := c.parse(v.bytes)
			m = c
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("error unmarshalling KafkaMessage: %w", err)
	}
	return m, nil
}

// ParseMetadata decodes KafkaMetadata.
func ParseMetadata(b []byte) (Metadata, error) {
	var m Metadata
	err := eachField(b, func(num protowire.Number, v field) error {
		if v.typ != protowire.VarintType {
			return nil
		}
		switch num {
		case 1:
			m.LastOffsetPersisted = int64(v.varint)
		case 2:
			m.LastOriginalOffsetProcessed = int64(v.varint)
		case 3:
			m.LastResubmittedConfigOffset = int64(v.varint)
		}
		return nil
	})
	if err != nil {
		return Metadata{}, fmt.Errorf("error unmarshalling KafkaMetadata: %w", err)
	}
	return m, nil
}

func (m *Regular) parse(b []byte) error {
	return eachField(b, func(num protowire.Number, v field) error {
		switch {
		case num == 1 && v.typ == protowire.BytesType:
			m.Payload = v.bytes
		case num == 2 && v.typ == protowire.VarintType:
			m.ConfigSeq = v.varint
		case num == 3 && v.typ == protowire.VarintType:
			m.Class = Class(v.varint)
		case num == 4 && v.typ == protowire.VarintType:
			m.OriginalOffset = int64(v.varint)
		}
		return nil
	})
}

func (m *TimeToCut) parse(b []byte) error {
	return eachField(b, func(num protowire.Number, v field) error {
		if num == 1 && v.typ == protowire.VarintType {
			m.BlockNumber = v.varint
		}
		return nil
	})
}

func (m *Connect) parse(b []byte) error {
	return eachField(b, func(num protowire.Number, v field) error {
		if num == 1 && v.typ == protowire.BytesType {
			m.Payload = v.bytes
		}
		return nil
	})
}

// field is one decoded field; only the value of its wire type is set.
type field struct {
	typ    protowire.Type
	varint uint64
	bytes  []byte
}

var errTruncated = errors.New("malformed or truncated field")

func eachField(b []byte, visit func(protowire.Number, field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber {
			return errTruncated
		}
		b = b[n:]
		v := field{typ: typ}
		switch typ {
		case protowire.VarintType:
			v.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		if err := visit(num, v); err != nil {
			return err
		}
	}
	return nil
}

func wrap(num protowire.Number, body []byte) []byte {
	b := make([]byte, 0, protowire.SizeTag(num)+protowire.SizeBytes(len(body)))
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), body)
}

func appendBytesField(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendVarintField(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

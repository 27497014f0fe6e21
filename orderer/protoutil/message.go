package protoutil

import (
	"bytes"
	"sync/atomic"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"google.golang.org/protobuf/encoding/protowire"
)

// Message is an envelope on its way through the orderer together with the
// bytes it has in a block. A message that arrives in canonical encoding keeps
// the bytes it came with; it is marshalled anew only if it does not, because
// peers reject transactions that do not re-marshal to themselves (spec C.3).
type Message struct {
	*cb.Envelope
	bytes   []byte
	decoded atomic.Pointer[decoded]
}

// NewMessage wraps an envelope that was built here.
func NewMessage(env *cb.Envelope) *Message {
	return &Message{Envelope: env, bytes: appendEnvelope(nil, env.GetPayload(), env.GetSignature())}
}

// ParseMessage decodes the bytes of an Envelope. The message refers to raw,
// which must not be changed afterwards.
func ParseMessage(raw []byte) (*Message, error) {
	if payload, signature, ok := splitCanonical(raw); ok {
		return &Message{Envelope: &cb.Envelope{Payload: payload, Signature: signature}, bytes: raw}, nil
	}
	env, err := UnmarshalEnvelope(raw)
	if err != nil {
		return nil, err
	}
	return NewMessage(env), nil
}

// Bytes returns the canonical encoding of the envelope. It must not be changed.
func (m *Message) Bytes() []byte { return m.bytes }

// Size is the size that the block cutter and the size filter count:
// len(payload) + len(signature), in bytes (spec 6.3, 6.4).
func (m *Message) Size() uint32 {
	return uint32(len(m.GetPayload()) + len(m.GetSignature()))
}

const (
	payloadField   = 1
	signatureField = 2
)

func appendEnvelope(b, payload, signature []byte) []byte {
	if len(payload) > 0 {
		b = protowire.AppendTag(b, payloadField, protowire.BytesType)
		b = protowire.AppendBytes(b, payload)
	}
	if len(signature) > 0 {
		b = protowire.AppendTag(b, signatureField, protowire.BytesType)
		b = protowire.AppendBytes(b, signature)
	}
	return b
}

// splitCanonical finds the fields 1 and 2 of a message that has only these, of
// type bytes or message, without copying them, if raw is exactly what
// marshalling them would give and none that is there is empty. Envelope,
// Payload, Header and SignatureHeader are such messages.
func splitCanonical(raw []byte) (first, second []byte, ok bool) {
	rest := raw
	next := func(field protowire.Number) []byte {
		num, typ, n := protowire.ConsumeTag(rest)
		if n < 0 || num != field || typ != protowire.BytesType {
			return nil
		}
		v, m := protowire.ConsumeBytes(rest[n:])
		if m < 0 || len(v) == 0 || n+m != protowire.SizeTag(field)+protowire.SizeBytes(len(v)) {
			return nil
		}
		rest = rest[n+m:]
		return v[:len(v):len(v)]
	}
	first = next(payloadField)
	second = next(signatureField)
	return first, second, len(rest) == 0
}

// SameBytes reports whether two messages are the same in a block.
func (m *Message) SameBytes(o *Message) bool { return bytes.Equal(m.bytes, o.bytes) }

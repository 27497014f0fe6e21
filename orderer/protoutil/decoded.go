package protoutil

import (
	"unicode/utf8"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// decoded is what the headers of a message say. It refers to the bytes of the
// message and must not be changed.
type decoded struct {
	channel    *cb.ChannelHeader
	channelErr error
	signed     []*SignedData
	signedErr  error
}

// ChannelHeader is ChannelHeader of the message's envelope, decoded once.
// The result must not be changed.
func (m *Message) ChannelHeader() (*cb.ChannelHeader, error) {
	d := m.decode()
	return d.channel, d.channelErr
}

// SignedData is EnvelopeAsSignedData of the message's envelope, decoded once.
// The result must not be changed.
func (m *Message) SignedData() ([]*SignedData, error) {
	d := m.decode()
	return d.signed, d.signedErr
}

// decode decodes the headers; when several goroutines are the first, each
// does, with the same result.
func (m *Message) decode() *decoded {
	if d := m.decoded.Load(); d != nil {
		return d
	}
	d := newDecoded(m.Envelope)
	m.decoded.Store(d)
	return d
}

func newDecoded(env *cb.Envelope) *decoded {
	d := &decoded{}
	channelHeader, signatureHeader, err := headersOf(env)
	if err != nil {
		d.channelErr, d.signedErr = err, err
		return d
	}
	// What is not canonical, or wrong, is the library's.
	var ok bool
	if d.channel, ok = splitChannelHeader(channelHeader); !ok || len(channelHeader) == 0 {
		d.channel, d.channelErr = ChannelHeader(env)
	}
	if creator, _, ok := splitCanonical(signatureHeader); ok {
		d.signed = []*SignedData{{Data: env.Payload, Identity: creator, Signature: env.Signature}}
	} else {
		d.signed, d.signedErr = EnvelopeAsSignedData(env)
	}
	return d
}

// headersOf returns the two encoded headers of an envelope, without copying
// them if payload and header are in canonical encoding.
func headersOf(env *cb.Envelope) (channelHeader, signatureHeader []byte, err error) {
	if header, _, ok := splitCanonical(env.GetPayload()); ok && len(header) > 0 {
		if channelHeader, signatureHeader, ok = splitCanonical(header); ok {
			return channelHeader, signatureHeader, nil
		}
	}
	p, err := EnvelopePayload(env)
	if err != nil {
		return nil, nil, err
	}
	return p.Header.ChannelHeader, p.Header.SignatureHeader, nil
}

// splitChannelHeader decodes a channel header that has each field at most once
// and in the order of their numbers. Anything else is left to the library.
func splitChannelHeader(b []byte) (*cb.ChannelHeader, bool) {
	h := &cb.ChannelHeader{}
	for last := protowire.Number(0); len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num <= last {
			return nil, false
		}
		b, last = b[n:], num
		var varint uint64
		var bytes []byte
		switch typ {
		case protowire.VarintType:
			varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
		default:
			return nil, false
		}
		if n < 0 || !setChannelHeader(h, num, typ, varint, bytes) {
			return nil, false
		}
		b = b[n:]
	}
	return h, true
}

// setChannelHeader sets one field; the numbers are those of common.proto.
func setChannelHeader(h *cb.ChannelHeader, num protowire.Number, typ protowire.Type, varint uint64, bytes []byte) bool {
	if typ == protowire.VarintType {
		switch num {
		case 1:
			h.Type = int32(varint)
		case 2:
			h.Version = int32(varint)
		case 6:
			h.Epoch = varint
		default:
			return false
		}
		return true
	}
	switch num {
	case 3:
		h.Timestamp = &timestamppb.Timestamp{}
		return proto.Unmarshal(bytes, h.Timestamp) == nil
	case 4:
		h.ChannelId = string(bytes)
		return utf8.Valid(bytes)
	case 5:
		h.TxId = string(bytes)
		return utf8.Valid(bytes)
	case 7:
		h.Extension = bytes[:len(bytes):len(bytes)]
	case 8:
		h.TlsCertHash = bytes[:len(bytes):len(bytes)]
	default:
		return false
	}
	return true
}

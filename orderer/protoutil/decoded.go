package protoutil

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
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
	d.channel, d.channelErr = UnmarshalChannelHeader(channelHeader)
	creator, err := creatorOf(signatureHeader)
	if err != nil {
		d.signedErr = err
		return d
	}
	d.signed = []*SignedData{{Data: env.Payload, Identity: creator, Signature: env.Signature}}
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

// creatorOf returns the creator in an encoded signature header, likewise.
func creatorOf(signatureHeader []byte) ([]byte, error) {
	if creator, _, ok := splitCanonical(signatureHeader); ok {
		return creator, nil
	}
	sh, err := UnmarshalSignatureHeader(signatureHeader)
	if err != nil {
		return nil, err
	}
	return sh.Creator, nil
}

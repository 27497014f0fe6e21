package protoutil

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNilEnvelope is returned where an envelope is required.
	ErrNilEnvelope = errors.New("nil envelope")
	// ErrNoHeader is returned for a payload without a header.
	ErrNoHeader = errors.New("no header in payload")
	// ErrNoChannelHeader is returned for a header without a channel header.
	ErrNoChannelHeader = errors.New("channel header not set")
)

// Marshal encodes m deterministically (map entries in key order), so that two
// orderers that hold the same message write the same bytes.
func Marshal(m proto.Message) ([]byte, error) {
	var b proto.Buffer
	b.SetDeterministic(true)
	if err := b.Marshal(m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// MustMarshal is Marshal for messages that were built here and always encode.
// It panics on an encoding failure, which is a programmer's error (a nil
// element in a repeated field, invalid UTF-8 in a constant).
func MustMarshal(m proto.Message) []byte {
	b, err := Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("protoutil: marshalling %T: %v", m, err))
	}
	return b
}

// UnmarshalEnvelope decodes an Envelope.
func UnmarshalEnvelope(b []byte) (*cb.Envelope, error) {
	env := &cb.Envelope{}
	if err := proto.Unmarshal(b, env); err != nil {
		return nil, fmt.Errorf("error unmarshalling Envelope: %w", err)
	}
	return env, nil
}

// UnmarshalPayload decodes a Payload.
func UnmarshalPayload(b []byte) (*cb.Payload, error) {
	p := &cb.Payload{}
	if err := proto.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("error unmarshalling Payload: %w", err)
	}
	return p, nil
}

// UnmarshalChannelHeader decodes a ChannelHeader.
func UnmarshalChannelHeader(b []byte) (*cb.ChannelHeader, error) {
	h := &cb.ChannelHeader{}
	if err := proto.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("error unmarshalling ChannelHeader: %w", err)
	}
	return h, nil
}

// UnmarshalSignatureHeader decodes a SignatureHeader.
func UnmarshalSignatureHeader(b []byte) (*cb.SignatureHeader, error) {
	h := &cb.SignatureHeader{}
	if err := proto.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("error unmarshalling SignatureHeader: %w", err)
	}
	return h, nil
}

// EnvelopePayload returns the decoded payload of env; its header is present.
func EnvelopePayload(env *cb.Envelope) (*cb.Payload, error) {
	if env == nil {
		return nil, ErrNilEnvelope
	}
	p, err := UnmarshalPayload(env.Payload)
	if err != nil {
		return nil, err
	}
	if p.Header == nil {
		return nil, ErrNoHeader
	}
	return p, nil
}

// ChannelHeader returns the channel header of env, which must be there.
func ChannelHeader(env *cb.Envelope) (*cb.ChannelHeader, error) {
	p, err := EnvelopePayload(env)
	if err != nil {
		return nil, err
	}
	if len(p.Header.ChannelHeader) == 0 {
		return nil, ErrNoChannelHeader
	}
	h, err := UnmarshalChannelHeader(p.Header.ChannelHeader)
	if err != nil {
		return nil, fmt.Errorf("error unmarshalling channel header: %w", err)
	}
	return h, nil
}

// UnmarshalConfigUpdateEnvelope decodes a ConfigUpdateEnvelope.
func UnmarshalConfigUpdateEnvelope(b []byte) (*cb.ConfigUpdateEnvelope, error) {
	e := &cb.ConfigUpdateEnvelope{}
	if err := proto.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("error unmarshalling ConfigUpdateEnvelope: %w", err)
	}
	return e, nil
}

// UnmarshalConfigUpdate decodes a ConfigUpdate.
func UnmarshalConfigUpdate(b []byte) (*cb.ConfigUpdate, error) {
	u := &cb.ConfigUpdate{}
	if err := proto.Unmarshal(b, u); err != nil {
		return nil, fmt.Errorf("error unmarshalling ConfigUpdate: %w", err)
	}
	return u, nil
}

// EnvelopeToConfigUpdate returns the ConfigUpdateEnvelope inside a CONFIG_UPDATE
// envelope. Any other header type is an error.
func EnvelopeToConfigUpdate(env *cb.Envelope) (*cb.ConfigUpdateEnvelope, error) {
	p, err := EnvelopePayload(env)
	if err != nil {
		return nil, err
	}
	h, err := UnmarshalChannelHeader(p.Header.ChannelHeader)
	if err != nil {
		return nil, err
	}
	if h.Type != int32(cb.HeaderType_CONFIG_UPDATE) {
		return nil, fmt.Errorf("invalid type %s, expected CONFIG_UPDATE", cb.HeaderType(h.Type))
	}
	e := &cb.ConfigUpdateEnvelope{}
	if err := proto.Unmarshal(p.Data, e); err != nil {
		return nil, fmt.Errorf("error unmarshalling message for type CONFIG_UPDATE: %w", err)
	}
	return e, nil
}

// ConfigEnvelope returns the ConfigEnvelope inside a CONFIG envelope. Any
// other header type is an error.
func ConfigEnvelope(env *cb.Envelope) (*cb.ConfigEnvelope, error) {
	p, err := EnvelopePayload(env)
	if err != nil {
		return nil, err
	}
	h, err := UnmarshalChannelHeader(p.Header.ChannelHeader)
	if err != nil {
		return nil, err
	}
	if h.Type != int32(cb.HeaderType_CONFIG) {
		return nil, fmt.Errorf("invalid type %s, expected CONFIG", cb.HeaderType(h.Type))
	}
	c := &cb.ConfigEnvelope{}
	if err := proto.Unmarshal(p.Data, c); err != nil {
		return nil, fmt.Errorf("error unmarshalling ConfigEnvelope: %w", err)
	}
	return c, nil
}

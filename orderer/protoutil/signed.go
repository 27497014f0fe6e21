package protoutil

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// NonceSize is the length of a nonce in bytes.
const NonceSize = 24

// Signer signs as one identity.
type Signer interface {
	// Sign returns the signature over the SHA-256 of message: ASN.1 DER, low S.
	Sign(message []byte) ([]byte, error)
	// Serialize returns the identity as a marshalled msp.SerializedIdentity.
	Serialize() ([]byte, error)
}

// SignedData is a triple that policies evaluate: Signature is Identity's over Data.
type SignedData struct {
	Data      []byte
	Identity  []byte
	Signature []byte
}

// EnvelopeAsSignedData returns the one signature that an envelope carries.
func EnvelopeAsSignedData(env *cb.Envelope) ([]*SignedData, error) {
	p, err := EnvelopePayload(env)
	if err != nil {
		return nil, err
	}
	sh := &cb.SignatureHeader{}
	if err := proto.Unmarshal(p.Header.SignatureHeader, sh); err != nil {
		return nil, fmt.Errorf("GetSignatureHeaderFromBytes failed, err %w", err)
	}
	return []*SignedData{{Data: env.Payload, Identity: sh.Creator, Signature: env.Signature}}, nil
}

// ConfigUpdateAsSignedData returns the signatures of a config update; each
// signs its signature header followed by the update's bytes (spec 7.1).
func ConfigUpdateAsSignedData(e *cb.ConfigUpdateEnvelope) ([]*SignedData, error) {
	result := make([]*SignedData, 0, len(e.GetSignatures()))
	for i, sig := range e.GetSignatures() {
		sh, err := UnmarshalSignatureHeader(sig.GetSignatureHeader())
		if err != nil {
			return nil, fmt.Errorf("config signature %d: %w", i, err)
		}
		result = append(result, &SignedData{
			Data:      concat(sig.SignatureHeader, e.ConfigUpdate),
			Identity:  sh.Creator,
			Signature: sig.Signature,
		})
	}
	return result, nil
}

// BlockAsSignedData returns the signatures of a block: each signs the
// metadata value, its signature header and the header's bytes (spec 7.7).
func BlockAsSignedData(block *cb.Block) ([]*SignedData, error) {
	md, err := Metadata(block, cb.BlockMetadataIndex_SIGNATURES)
	if err != nil {
		return nil, err
	}
	header := BlockHeaderBytes(block.GetHeader())
	result := make([]*SignedData, 0, len(md.Signatures))
	for i, sig := range md.Signatures {
		sh, err := UnmarshalSignatureHeader(sig.GetSignatureHeader())
		if err != nil {
			return nil, fmt.Errorf("block signature %d: %w", i, err)
		}
		result = append(result, &SignedData{
			Data:      concat(md.Value, sig.SignatureHeader, header),
			Identity:  sh.Creator,
			Signature: sig.Signature,
		})
	}
	return result, nil
}

func concat(parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// NewNonce returns a fresh random nonce.
func NewNonce() ([]byte, error) {
	b := make([]byte, NonceSize)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("reading random bytes for a nonce: %w", err)
	}
	return b, nil
}

// TxID is the transaction ID of a nonce and creator: hex(SHA-256(nonce || creator)).
func TxID(nonce, creator []byte) string {
	sum := sha256.Sum256(concat(nonce, creator))
	return hex.EncodeToString(sum[:])
}

// NewSignatureHeader returns a signature header of signer with a fresh nonce.
func NewSignatureHeader(signer Signer) (*cb.SignatureHeader, error) {
	creator, err := signer.Serialize()
	if err != nil {
		return nil, fmt.Errorf("serializing the signer's identity: %w", err)
	}
	nonce, err := NewNonce()
	if err != nil {
		return nil, err
	}
	return &cb.SignatureHeader{Creator: creator, Nonce: nonce}, nil
}

// EnvelopeSpec says what NewSignedEnvelope is to build.
type EnvelopeSpec struct {
	Type        cb.HeaderType
	ChannelID   string
	Time        time.Time // zero leaves the timestamp out
	TLSCertHash []byte    // SHA-256 of the client's TLS certificate (DER), if bound
	Data        proto.Message
	Bytes       []byte // the payload's data, where Data is nil
}

// NewSignedEnvelope returns an envelope with the content of spec, signed by
// signer; with a nil signer it is unsigned and has an empty creator.
func NewSignedEnvelope(spec EnvelopeSpec, signer Signer) (*cb.Envelope, error) {
	data := spec.Bytes
	if spec.Data != nil {
		b, err := Marshal(spec.Data)
		if err != nil {
			return nil, fmt.Errorf("marshalling payload data: %w", err)
		}
		data = b
	}
	sh := &cb.SignatureHeader{}
	if signer != nil {
		var err error
		if sh, err = NewSignatureHeader(signer); err != nil {
			return nil, err
		}
	}
	ch := &cb.ChannelHeader{Type: int32(spec.Type), ChannelId: spec.ChannelID, TlsCertHash: spec.TLSCertHash}
	if !spec.Time.IsZero() {
		ch.Timestamp = timestamppb.New(spec.Time)
	}
	if signer != nil {
		ch.TxId = TxID(sh.Nonce, sh.Creator)
	}
	payload, err := Marshal(&cb.Payload{
		Header: &cb.Header{ChannelHeader: MustMarshal(ch), SignatureHeader: MustMarshal(sh)},
		Data:   data,
	})
	if err != nil {
		return nil, fmt.Errorf("marshalling payload: %w", err)
	}
	env := &cb.Envelope{Payload: payload}
	if signer != nil {
		if env.Signature, err = signer.Sign(payload); err != nil {
			return nil, fmt.Errorf("signing envelope: %w", err)
		}
	}
	return env, nil
}

package channelcfg

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/protoutil"
)

// ErrOtherUpdate is wrapped where two files hold different updates, whose
// signatures cannot be joined.
var ErrOtherUpdate = errors.New("not the same update")

// FromEnvelope takes the update and its signatures out of a CONFIG_UPDATE
// envelope: the format of peer channel signconfigtx and peer channel update
// (spec 7.1). The signature over the envelope itself is left behind; it says
// only who passed the file on.
func FromEnvelope(env *cb.Envelope) (*Update, error) {
	inner, err := protoutil.EnvelopeToConfigUpdate(env)
	if err != nil {
		return nil, err
	}
	config, err := protoutil.UnmarshalConfigUpdate(inner.ConfigUpdate)
	if err != nil {
		return nil, err
	}
	h, err := protoutil.ChannelHeader(env)
	if err != nil {
		return nil, err
	}
	switch {
	case config.ChannelId == "":
		return nil, errors.New("the update names no channel")
	case config.WriteSet == nil:
		return nil, errors.New("the update writes nothing")
	case h.ChannelId != config.ChannelId:
		return nil, fmt.Errorf("the envelope is for channel %s, the update in it for %s", h.ChannelId, config.ChannelId)
	}
	u := &Update{Channel: config.ChannelId, Bytes: inner.ConfigUpdate}
	return u, u.add(inner.Signatures)
}

// Export wraps the update and its signatures in an envelope that nobody has
// signed: it is for other administrators to sign, with raftmig sign or peer
// channel signconfigtx.
func (u *Update) Export() (*cb.Envelope, error) {
	return protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type:      cb.HeaderType_CONFIG_UPDATE,
		ChannelID: u.Channel,
		Data:      &cb.ConfigUpdateEnvelope{ConfigUpdate: u.Bytes, Signatures: u.Signatures},
	}, nil)
}

// Merge adds the signatures of other that u does not have yet. Both must be the
// same update, byte for byte: ErrOtherUpdate if not.
func (u *Update) Merge(other *Update) error {
	if u.Channel != other.Channel || !bytes.Equal(u.Bytes, other.Bytes) {
		return fmt.Errorf("%w: one for channel %s and one for channel %s", ErrOtherUpdate, u.Channel, other.Channel)
	}
	return u.add(other.Signatures)
}

// add adds signatures of those who have not signed yet.
func (u *Update) add(signatures []*cb.ConfigSignature) error {
	for i, s := range signatures {
		creator, err := creatorOf(s)
		if err != nil {
			return fmt.Errorf("signature %d of the update of channel %s: %w", i, u.Channel, err)
		}
		switch at := u.indexOf(creator); {
		case at < 0:
			u.Signatures = append(u.Signatures, s)
		case u.describe(u.Signatures[at]).Error != "":
			u.Signatures[at] = s // of a damaged one there may be a sound copy
		}
	}
	return nil
}

// SignedBy reports whether there is a sound signature of an identity.
func (u *Update) SignedBy(signer protoutil.Signer) (bool, error) {
	creator, err := signer.Serialize()
	at := u.indexOf(creator)
	return at >= 0 && u.describe(u.Signatures[at]).Error == "", err
}

// indexOf finds the signature of a creator, -1 if there is none.
func (u *Update) indexOf(creator []byte) int {
	return slices.IndexFunc(u.Signatures, func(s *cb.ConfigSignature) bool {
		have, err := creatorOf(s)
		return err == nil && bytes.Equal(have, creator)
	})
}

func creatorOf(s *cb.ConfigSignature) ([]byte, error) {
	h, err := protoutil.UnmarshalSignatureHeader(s.GetSignatureHeader())
	return h.GetCreator(), err
}

// SignatureOf says who made a signature.
type SignatureOf struct {
	MSPID   string `json:"msp_id"`
	Subject string `json:"subject"`
	// Error says why the signature is worth nothing, "" if it verifies. Whether
	// the channel trusts the certificate is not looked at.
	Error string `json:"error,omitempty"`
}

// Signers says who has signed, in the order of the signatures.
func (u *Update) Signers() []SignatureOf {
	out := make([]SignatureOf, 0, len(u.Signatures))
	for _, s := range u.Signatures {
		out = append(out, u.describe(s))
	}
	return out
}

func (u *Update) describe(s *cb.ConfigSignature) (of SignatureOf) {
	creator, err := creatorOf(s)
	if err != nil {
		of.Error = err.Error()
		return of
	}
	sid := &mspproto.SerializedIdentity{}
	if err := proto.Unmarshal(creator, sid); err != nil {
		of.Error = err.Error()
		return of
	}
	of.MSPID = sid.Mspid
	block, _ := pem.Decode(sid.IdBytes)
	if block == nil {
		of.Error = "the certificate is not PEM"
		return of
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		of.Error = err.Error()
		return of
	}
	of.Subject = cert.Subject.String()
	signed := append(append([]byte(nil), s.SignatureHeader...), u.Bytes...)
	if err := cert.CheckSignature(x509.ECDSAWithSHA256, signed, s.Signature); err != nil {
		of.Error = "the signature does not fit the update: " + err.Error()
	}
	return of
}

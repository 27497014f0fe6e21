package msgprocessor

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/protoutil"
)

// headerFields finds the bytes of a payload's two headers without decoding
// and copying its data, which is most of it. Fields that come several times
// count as protobuf says: the last one does. It is not ok if the bytes are no
// protobuf; a payload without header gives ErrNoHeader.
func headerFields(payload []byte) (channelHeader, signatureHeader []byte, found, ok bool) {
	ok = eachBytesField(payload, func(number protowire.Number, header []byte) bool {
		if number != 1 {
			return true
		}
		found = true
		return eachBytesField(header, func(number protowire.Number, v []byte) bool {
			switch number {
			case 1:
				channelHeader = v
			case 2:
				signatureHeader = v
			}
			return true
		})
	})
	return channelHeader, signatureHeader, found, ok
}

// eachBytesField calls f for every length-delimited field of a message, and
// reports whether the message is well formed and f always returned true.
func eachBytesField(b []byte, f func(protowire.Number, []byte) bool) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		m := protowire.ConsumeFieldValue(number, kind, b[n:])
		if m < 0 {
			return false
		}
		if kind == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(b[n:])
			if !f(number, v) {
				return false
			}
		}
		b = b[n+m:]
	}
	return true
}

// ChannelHeader is protoutil.ChannelHeader for a message of any size at the
// cost of its headers.
func ChannelHeader(msg *protoutil.Message) (*cb.ChannelHeader, error) {
	if b, _, found, ok := headerFields(msg.GetPayload()); ok && found && len(b) > 0 {
		if h, err := protoutil.UnmarshalChannelHeader(b); err == nil {
			return h, nil
		}
	}
	return protoutil.ChannelHeader(msg.Envelope) // it says what is wrong
}

// signedData is protoutil.EnvelopeAsSignedData likewise.
func signedData(msg *protoutil.Message) ([]*protoutil.SignedData, error) {
	if _, h, found, ok := headerFields(msg.GetPayload()); ok && found {
		if sh, err := protoutil.UnmarshalSignatureHeader(h); err == nil {
			return []*protoutil.SignedData{{Data: msg.GetPayload(), Identity: sh.Creator, Signature: msg.GetSignature()}}, nil
		}
	}
	return protoutil.EnvelopeAsSignedData(msg.Envelope)
}

package msgprocessor

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// FuzzHeaders compares the headers found in the bytes with those that a full
// decoding gives.
func FuzzHeaders(f *testing.F) {
	h := &cb.Header{ChannelHeader: protoutil.MustMarshal(&cb.ChannelHeader{ChannelId: "a"}), SignatureHeader: protoutil.MustMarshal(&cb.SignatureHeader{Creator: []byte("c")})}
	one := protoutil.MustMarshal(&cb.Payload{Header: h, Data: []byte("data")})
	two := protoutil.MustMarshal(&cb.Payload{Header: &cb.Header{ChannelHeader: protoutil.MustMarshal(&cb.ChannelHeader{ChannelId: "b"})}})
	for _, seed := range [][]byte{one, append(append([]byte{}, one...), two...), append(append([]byte{}, two...), one...), nil, {1}, {0x0a, 0}, {0x08, 1}, {0x0b, 0x0c}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		msg := protoutil.NewMessage(&cb.Envelope{Payload: payload, Signature: []byte("s")})
		want, wantErr := protoutil.ChannelHeader(msg.Envelope)
		got, gotErr := ChannelHeader(msg)
		require.Equal(t, wantErr == nil, gotErr == nil, "%v, %v", wantErr, gotErr)
		require.True(t, proto.Equal(want, got))
		wantData, wantErr := protoutil.EnvelopeAsSignedData(msg.Envelope)
		gotData, gotErr := signedData(msg)
		require.Equal(t, wantErr == nil, gotErr == nil, "%v, %v", wantErr, gotErr)
		require.Equal(t, wantData, gotData)
	})
}

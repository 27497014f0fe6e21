package protoutil

import (
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type fakeSigner struct{}

func (fakeSigner) Sign([]byte) ([]byte, error) { return []byte("signature"), nil }
func (fakeSigner) Serialize() ([]byte, error)  { return make([]byte, 800), nil }

func signedMessage(t testing.TB) *Message {
	env, err := NewSignedEnvelope(EnvelopeSpec{
		Type: cb.HeaderType_ENDORSER_TRANSACTION, ChannelID: "ch", Time: time.Unix(1, 0), Bytes: make([]byte, 1024),
	}, fakeSigner{})
	require.NoError(t, err)
	return NewMessage(env)
}

// requireSameDecoded compares with the decoding by the library.
func requireSameDecoded(t testing.TB, m *Message) {
	wantHeader, wantErr := ChannelHeader(m.Envelope)
	header, err := m.ChannelHeader()
	require.Equal(t, wantErr, err)
	require.True(t, proto.Equal(wantHeader, header))

	wantSigned, wantErr := EnvelopeAsSignedData(m.Envelope)
	signed, err := m.SignedData()
	require.Equal(t, wantErr, err)
	require.Len(t, signed, len(wantSigned))
	for i, s := range signed {
		require.Equal(t, string(wantSigned[i].Data), string(s.Data))
		require.Equal(t, string(wantSigned[i].Identity), string(s.Identity))
		require.Equal(t, string(wantSigned[i].Signature), string(s.Signature))
	}
}

func TestAMessageDecodesItsHeadersAsTheLibraryDoes(t *testing.T) {
	field := func(number byte, content string) string {
		return string([]byte{number<<3 | 2, byte(len(content))}) + content
	}
	channel := string(MustMarshal(&cb.ChannelHeader{ChannelId: "ch", TxId: "1"}))
	signature := string(MustMarshal(&cb.SignatureHeader{Creator: []byte("me"), Nonce: []byte("n")}))
	header := field(1, channel) + field(2, signature)
	for name, payload := range map[string]string{
		"canonical":                  field(1, header) + field(2, "data"),
		"no data":                    field(1, header),
		"empty":                      "",
		"no header":                  field(2, "data"),
		"empty header":               field(1, "") + field(2, "data"),
		"data first":                 field(2, "data") + field(1, header),
		"two headers are merged":     field(1, field(1, channel)) + field(1, field(2, signature)),
		"the last channel header":    field(1, field(1, "x")+header),
		"signature header first":     field(1, field(2, signature)+field(1, channel)),
		"no signature header":        field(1, field(1, channel)),
		"no channel header":          field(1, field(2, signature)),
		"nonce first":                field(1, field(1, channel)+field(2, field(2, "n")+field(1, "me"))),
		"creators":                   field(1, field(1, channel)+field(2, field(1, "you")+field(1, "me"))),
		"unknown field":              field(1, header+field(3, "x")) + field(9, "y"),
		"length in two bytes":        "\x0a" + string([]byte{byte(len(header)) | 0x80, 0}) + header,
		"channel header not decoded": field(1, field(1, "\xff")+field(2, signature)),
		"signature header likewise":  field(1, field(1, channel)+field(2, "\xff")),
		"invalid UTF-8":              field(1, field(1, "\x22\x01\xff")+field(2, signature)),
		"cut":                        field(1, header)[:10],
		"garbage":                    "\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			requireSameDecoded(t, NewMessage(&cb.Envelope{Payload: []byte(payload), Signature: []byte("s")}))
		})
	}
	requireSameDecoded(t, &Message{})
}

func TestEveryFormOfAChannelHeaderIsDecodedAsTheLibraryDoes(t *testing.T) {
	full := MustMarshal(&cb.ChannelHeader{
		Type: -1, Version: 1 << 30, Timestamp: &timestamppb.Timestamp{Seconds: -5, Nanos: 7}, ChannelId: "ch", TxId: "1",
		Epoch: 1 << 63, Extension: []byte("e"), TlsCertHash: []byte("h"),
	})
	for name, header := range map[string][]byte{
		"full":                  full,
		"empty":                 {},
		"empty fields":          {0x08, 0, 0x1a, 0, 0x22, 0, 0x3a, 0, 0x42, 0},
		"a type beyond 32 bits": {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"twice":                 append(append([]byte{}, full...), full...),
		"another order":         {0x22, 1, 'a', 0x08, 3},
		"unknown varint":        {0x48, 1},
		"unknown bytes":         {0x08, 1, 0x52, 1, 'x'},
		"a varint for a string": {0x20, 1},
		"a string for a varint": {0x0a, 1, 'x'},
		"a fixed number":        {0x09, 1, 2, 3, 4, 5, 6, 7, 8},
		"no timestamp inside":   {0x1a, 1, 0xff},
		"no UTF-8":              {0x2a, 1, 0xff},
		"cut":                   full[:len(full)-1],
	} {
		t.Run(name, func(t *testing.T) {
			payload := MustMarshal(&cb.Payload{Header: &cb.Header{ChannelHeader: header, SignatureHeader: []byte{}}})
			requireSameDecoded(t, NewMessage(&cb.Envelope{Payload: payload}))
		})
	}
}

func FuzzMessageHeaders(f *testing.F) {
	f.Add(signedMessage(f).Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		requireSameDecoded(t, NewMessage(&cb.Envelope{Payload: payload, Signature: []byte("s")}))
	})
}

func FuzzChannelHeader(f *testing.F) {
	f.Add(MustMarshal(&cb.ChannelHeader{Type: 3, ChannelId: "ch", TxId: "1", Extension: []byte("e"), Timestamp: &timestamppb.Timestamp{Seconds: 1}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := splitChannelHeader(raw)
		if !ok {
			return
		}
		want, err := UnmarshalChannelHeader(raw)
		require.NoError(t, err)
		require.True(t, proto.Equal(want, got))
	})
}

func BenchmarkMessageHeaders(b *testing.B) {
	raw := signedMessage(b).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		m, err := ParseMessage(raw)
		require.NoError(b, err)
		_, err = m.ChannelHeader()
		require.NoError(b, err)
		_, err = m.SignedData()
		require.NoError(b, err)
	}
}

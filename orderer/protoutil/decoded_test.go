package protoutil

import (
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
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

func FuzzMessageHeaders(f *testing.F) {
	f.Add(signedMessage(f).Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		requireSameDecoded(t, NewMessage(&cb.Envelope{Payload: payload, Signature: []byte("s")}))
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

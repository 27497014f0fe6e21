package deliver

import (
	"context"
	"testing"
	"time"

	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// Whatever a client sends as a request, it gets statuses and blocks, and the
// stream ends when the client does.
func FuzzHandle(f *testing.F) {
	w := newWorld(f, 3)
	admin := w.net.OrdererAdmin()
	for _, seek := range []*ab.SeekInfo{
		{Start: oldest, Stop: newest}, {Start: newest, Stop: newest}, {Start: at(2), Stop: oldest}, {Start: at(9), Stop: at(9)}, {},
		{Start: &ab.SeekPosition{}, Stop: &ab.SeekPosition{}}, {Start: at(1), Stop: at(1 << 63), Behavior: ab.SeekInfo_FAIL_IF_NOT_READY},
		{Start: &ab.SeekPosition{Type: &ab.SeekPosition_Specified{}}, Stop: &ab.SeekPosition{Type: &ab.SeekPosition_NextCommit{}}, Behavior: ab.SeekInfo_FAIL_IF_NOT_READY},
	} {
		f.Add(w.request(admin, seek, nil), protoutil.MustMarshal(seek))
	}
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0x0a, 0x02, 0x0a, 0x00}, []byte{0x12, 0x00})
	f.Fuzz(func(t *testing.T, raw, seek []byte) {
		// what is signed properly gets past the signature, whatever it asks for
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{ChannelID: "syschannel", Time: w.now, Bytes: seek}, admin)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		s := &stream{ctx: ctx, requests: make(chan []byte, 2)}
		s.requests <- raw
		s.requests <- protoutil.MustMarshal(env)
		close(s.requests)
		if err := NewHandler(w.options).Handle(s); err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	})
}

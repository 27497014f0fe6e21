package server

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mb "github.com/hyperledger/fabric-protos-go/msp"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"raftmig/orderer/protoutil"
)

// parts of an envelope before it is marshalled and signed.
type parts struct {
	channel   *cb.ChannelHeader
	signature *cb.SignatureHeader
	payload   *cb.Payload
	// raw parts replace the marshalled ones if not nil.
	rawChannel, rawSignature []byte
	sign                     bool
}

// odd is an envelope of channel ch1 that change has changed before it is signed.
func (c *comparison) odd(kind cb.HeaderType, data []byte, change func(*parts)) *cb.Envelope {
	sh, err := protoutil.NewSignatureHeader(c.user)
	require.NoError(c.t, err)
	now := time.Now()
	p := &parts{
		channel:   &cb.ChannelHeader{Type: int32(kind), ChannelId: "ch1", Timestamp: timestamppb.New(now)},
		signature: sh, payload: &cb.Payload{Data: data}, sign: true,
	}
	change(p)
	if p.rawChannel == nil {
		p.rawChannel = protoutil.MustMarshal(p.channel)
	}
	if p.rawSignature == nil {
		p.rawSignature = protoutil.MustMarshal(p.signature)
	}
	p.payload.Header = &cb.Header{ChannelHeader: p.rawChannel, SignatureHeader: p.rawSignature}
	env := &cb.Envelope{Payload: protoutil.MustMarshal(p.payload)}
	if p.sign {
		env.Signature, err = c.user.Sign(env.Payload)
		require.NoError(c.t, err)
	}
	return env
}

// deliverAnswer is what Deliver says to an envelope: blocks, then the status or
// the code that the stream ends with.
func (r *running) deliverAnswer(env *cb.Envelope) (answer string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := ab.NewAtomicBroadcastClient(r.dial()).Deliver(ctx)
	require.NoError(r.t, err)
	require.NoError(r.t, stream.Send(env))
	for {
		resp, err := stream.Recv()
		if err != nil {
			return answer + "stream ends: " + status.Code(err).String()
		}
		if b := resp.GetBlock(); b != nil {
			answer += fmt.Sprintf("block %d, ", b.Header.Number)
			continue
		}
		return answer + resp.GetStatus().String()
	}
}

// changes are what a client may get wrong in the headers.
var changes = map[string]func(*parts){
	"as it should be":        func(*parts) {},
	"no type":                func(p *parts) { p.channel.Type = 0 },
	"unknown type":           func(p *parts) { p.channel.Type = 99 },
	"negative type":          func(p *parts) { p.channel.Type = -1 },
	"no channel":             func(p *parts) { p.channel.ChannelId = "" },
	"bad channel name":       func(p *parts) { p.channel.ChannelId = "CH 1" },
	"system channel":         func(p *parts) { p.channel.ChannelId = "syschannel" },
	"no timestamp":           func(p *parts) { p.channel.Timestamp = nil },
	"old timestamp":          func(p *parts) { p.channel.Timestamp = timestamppb.New(time.Now().Add(-time.Hour)) },
	"future timestamp":       func(p *parts) { p.channel.Timestamp = timestamppb.New(time.Now().Add(time.Hour)) },
	"other version":          func(p *parts) { p.channel.Version = 7 },
	"an epoch":               func(p *parts) { p.channel.Epoch = 3 },
	"TLS hash of nobody":     func(p *parts) { p.channel.TlsCertHash = []byte("hash") },
	"channel header of junk": func(p *parts) { p.rawChannel = []byte{1, 2, 3} },
	"empty channel header":   func(p *parts) { p.rawChannel = []byte{} },
	"signer header of junk":  func(p *parts) { p.rawSignature = []byte{1, 2, 3} },
	"empty signer header":    func(p *parts) { p.rawSignature = []byte{} },
	"no creator":             func(p *parts) { p.signature.Creator = nil },
	"creator of junk":        func(p *parts) { p.signature.Creator = []byte{1, 2, 3} },
	"creator of another MSP": func(p *parts) {
		p.signature.Creator = protoutil.MustMarshal(&mb.SerializedIdentity{Mspid: "NoMSP", IdBytes: []byte("x")})
	},
	"no nonce":  func(p *parts) { p.signature.Nonce = nil },
	"unsigned":  func(p *parts) { p.sign = false },
	"no data":   func(p *parts) { p.payload.Data = nil },
	"odd bytes": func(p *parts) { p.payload.Data = []byte{0xff, 0xff} },
}

// blockNumber differs where one orderer has cut a block that the other has not.
var blockNumber = regexp.MustCompile(`block \d+`)

// Requests with every mistake in the headers get the answers of a real orderer.
func TestInteropOddRequestsAreAnsweredAlike(t *testing.T) {
	c := newComparison(t)
	update := protoutil.MustMarshal(&cb.ConfigUpdateEnvelope{ConfigUpdate: protoutil.MustMarshal(&cb.ConfigUpdate{ChannelId: "syschannel"})})
	seek := proto.Clone(newestOnly).(*ab.SeekInfo)
	seek.Behavior = ab.SeekInfo_FAIL_IF_NOT_READY
	for name, change := range changes {
		for kind, data := range map[cb.HeaderType][]byte{
			cb.HeaderType_ENDORSER_TRANSACTION: []byte("x"), cb.HeaderType_CONFIG_UPDATE: update,
		} {
			c.same(fmt.Sprintf("%s: %s", kind, name), fixed(c.odd(kind, data, change)))
		}
		env := c.odd(cb.HeaderType_DELIVER_SEEK_INFO, protoutil.MustMarshal(seek), change)
		var got [2]string
		for i, r := range c.pair {
			got[i] = blockNumber.ReplaceAllString(r.deliverAnswer(env), "block")
		}
		t.Logf("deliver: %s: %s", name, got[0])
		assert.Equal(t, got[0], got[1], "deliver: %s", name)
	}
}

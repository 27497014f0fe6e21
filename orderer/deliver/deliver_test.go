package deliver

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/consensus/inactive"
	"raftmig/orderer/metrics"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// memoryLedger is a ledger of blocks in memory.
type memoryLedger struct {
	mu     sync.Mutex
	blocks []*cb.Block
	grown  chan struct{}
}

func newLedger(n int) *memoryLedger {
	l := &memoryLedger{grown: make(chan struct{})}
	for range n {
		l.add()
	}
	return l
}

func (l *memoryLedger) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks = append(l.blocks, protoutil.NewBlock(uint64(len(l.blocks)), nil))
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *memoryLedger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks))
}

func (l *memoryLedger) BlockByNumber(uint64) (*blockledger.Entry, error) {
	return nil, blockledger.ErrNotFound
}

func (l *memoryLedger) Iterator(p *ab.SeekPosition) (blockledger.Iterator, uint64) {
	h := l.Height()
	switch t := p.Type.(type) {
	case *ab.SeekPosition_Oldest:
		return &memoryIterator{l: l}, 0
	case *ab.SeekPosition_Newest:
		return &memoryIterator{l: l, next: h - 1}, h - 1
	case *ab.SeekPosition_Specified:
		if n := t.Specified.Number; n <= h {
			return &memoryIterator{l: l, next: n}, n
		}
	}
	return &memoryIterator{missing: true}, 0
}

type memoryIterator struct {
	l       *memoryLedger
	next    uint64
	missing bool
}

func (i *memoryIterator) Next(ctx context.Context) (*blockledger.Entry, cb.Status) {
	if i.missing {
		return nil, cb.Status_NOT_FOUND
	}
	for {
		i.l.mu.Lock()
		if i.next < uint64(len(i.l.blocks)) {
			b := i.l.blocks[i.next]
			i.next++
			i.l.mu.Unlock()
			return blockledger.NewEntry(b), cb.Status_SUCCESS
		}
		grown := i.l.grown
		i.l.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, cb.Status_SERVICE_UNAVAILABLE
		}
	}
}

func (i *memoryIterator) Close() {}

// testChain is only asked whether it errored.
type testChain struct {
	consensus.Chain
	errored chan struct{}
}

func (c *testChain) Errored() <-chan struct{} { return c.errored }

type testChannel struct {
	ledger *memoryLedger
	chain  *testChain

	mu     sync.Mutex
	config channelconfig.Resources
}

func (c *testChannel) Resources() channelconfig.Resources {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config
}
func (c *testChannel) Reader() blockledger.Reader { return readOnly{c.ledger} }
func (c *testChannel) Chain() consensus.Chain     { return c.chain }

type readOnly struct{ *memoryLedger }

// stream feeds requests and keeps what is sent.
type stream struct {
	ctx      context.Context
	requests chan []byte
	cert     *x509.Certificate
	sent     []any // uint64 for a block's number, or cb.Status
	onBlock  func(uint64) error
}

func (s *stream) Context() context.Context             { return s.ctx }
func (s *stream) Address() string                      { return "client" }
func (s *stream) ClientCertificate() *x509.Certificate { return s.cert }
func (s *stream) Recv() ([]byte, error) {
	select {
	case r, ok := <-s.requests:
		if !ok {
			return nil, io.EOF
		}
		return r, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *stream) SendBlock(e *blockledger.Entry) error {
	n := e.Block.Header.Number
	s.sent = append(s.sent, n)
	if s.onBlock != nil {
		return s.onBlock(n)
	}
	return nil
}

func (s *stream) SendStatus(status cb.Status) error {
	s.sent = append(s.sent, status)
	return nil
}

// world is a handler with one channel, "syschannel" of the fixture.
type world struct {
	t       testing.TB
	net     *fixture.Network
	channel *testChannel
	options Options
	now     time.Time
}

func newWorld(t testing.TB, height int) *world {
	w := &world{t: t, net: fixture.New(t), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	w.channel = &testChannel{ledger: newLedger(height), chain: &testChain{errored: make(chan struct{})}, config: w.bundle(ab.ConsensusType_STATE_NORMAL, false)}
	w.options = Options{
		Channel: func(id string) Channel {
			if id == "syschannel" {
				return w.channel
			}
			return nil
		},
		TimeWindow: 15 * time.Minute, Now: func() time.Time { return w.now },
		Metrics: NewMetrics(metrics.Disabled{}), Logger: zap.NewNop().Sugar(),
	}
	return w
}

// bundle is the system channel's configuration in a state; open lets everybody
// read in NORMAL.
func (w *world) bundle(state ab.ConsensusType_State, open bool) channelconfig.Resources {
	config := w.net.SystemConfig()
	v := fixture.ConsensusType(w.t, config)
	v.State = state
	fixture.OrdererValues(config)[channelconfig.ConsensusTypeKey].Value = protoutil.MustMarshal(v)
	if open {
		config.ChannelGroup.Policies["Readers"].Policy = config.ChannelGroup.Groups[channelconfig.ConsortiumsGroup].Policies["Admins"].Policy
	}
	b, err := channelconfig.NewBundle("syschannel", config)
	require.NoError(w.t, err)
	return b
}

func (w *world) request(signer protoutil.Signer, seek *ab.SeekInfo, change func(*protoutil.EnvelopeSpec)) []byte {
	spec := protoutil.EnvelopeSpec{Type: cb.HeaderType_DELIVER_SEEK_INFO, ChannelID: "syschannel", Time: w.now, Data: seek}
	if change != nil {
		change(&spec)
	}
	env, err := protoutil.NewSignedEnvelope(spec, signer)
	require.NoError(w.t, err)
	return protoutil.MustMarshal(env)
}

// serve sends requests on one stream and returns what came back.
func (w *world) serve(requests ...[]byte) []any {
	s := &stream{ctx: w.t.Context(), requests: make(chan []byte, len(requests))}
	for _, r := range requests {
		s.requests <- r
	}
	close(s.requests)
	require.NoError(w.t, NewHandler(w.options).Handle(s))
	return s.sent
}

func at(n uint64) *ab.SeekPosition {
	return &ab.SeekPosition{Type: &ab.SeekPosition_Specified{Specified: &ab.SeekSpecified{Number: n}}}
}

var (
	oldest = &ab.SeekPosition{Type: &ab.SeekPosition_Oldest{Oldest: &ab.SeekOldest{}}}
	newest = &ab.SeekPosition{Type: &ab.SeekPosition_Newest{Newest: &ab.SeekNewest{}}}
)

const (
	success     = cb.Status_SUCCESS
	badRequest  = cb.Status_BAD_REQUEST
	forbidden   = cb.Status_FORBIDDEN
	notFound    = cb.Status_NOT_FOUND
	unavailable = cb.Status_SERVICE_UNAVAILABLE
)

func blocks(from, to uint64, status cb.Status) []any {
	var all []any
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return append(all, status)
}

func TestSeekForms(t *testing.T) {
	w := newWorld(t, 5)
	fail := ab.SeekInfo_FAIL_IF_NOT_READY
	for _, test := range []struct {
		name string
		seek *ab.SeekInfo
		want []any
	}{
		{"oldest to newest", &ab.SeekInfo{Start: oldest, Stop: newest}, blocks(0, 4, success)},
		{"newest only", &ab.SeekInfo{Start: newest, Stop: newest}, blocks(4, 4, success)},
		{"oldest only", &ab.SeekInfo{Start: oldest, Stop: oldest}, blocks(0, 0, success)},
		{"stop oldest means the start", &ab.SeekInfo{Start: at(2), Stop: oldest}, blocks(2, 2, success)},
		{"specified", &ab.SeekInfo{Start: at(1), Stop: at(3)}, blocks(1, 3, success)},
		{"specified to newest", &ab.SeekInfo{Start: at(3), Stop: newest}, blocks(3, 4, success)},
		{"beyond the height", &ab.SeekInfo{Start: at(6), Stop: at(7)}, []any{notFound}},
		{"at the height, not waiting", &ab.SeekInfo{Start: at(5), Stop: at(5), Behavior: fail}, []any{notFound}},
		{"over the end, not waiting", &ab.SeekInfo{Start: at(3), Stop: at(9), Behavior: fail}, blocks(3, 4, notFound)},
		{"stop before start", &ab.SeekInfo{Start: at(3), Stop: at(2)}, []any{badRequest}},
		{"no start", &ab.SeekInfo{Stop: newest}, []any{badRequest}},
		{"no stop", &ab.SeekInfo{Start: newest}, []any{badRequest}},
		{"unset start", &ab.SeekInfo{Start: &ab.SeekPosition{}, Stop: newest}, []any{notFound}},
		{"unset stop counts as block 0", &ab.SeekInfo{Start: oldest, Stop: &ab.SeekPosition{}}, blocks(0, 0, success)},
		{"unset stop has no end otherwise", &ab.SeekInfo{Start: at(3), Stop: &ab.SeekPosition{}, Behavior: fail}, blocks(3, 4, notFound)},
	} {
		require.Equal(t, test.want, w.serve(w.request(w.net.OrdererAdmin(), test.seek, nil)), test.name)
	}
}

func TestRequestsAreCheckedInFabricsOrder(t *testing.T) {
	w := newWorld(t, 2)
	admin := w.net.OrdererAdmin()
	all := &ab.SeekInfo{Start: oldest, Stop: newest}
	good := w.request(admin, all, nil)
	forged := &cb.Envelope{}
	require.NoError(t, proto.Unmarshal(good, forged))
	forged.Signature[len(forged.Signature)-1] ^= 1
	for _, test := range []struct {
		name string
		raw  []byte
		want cb.Status
	}{
		{"no envelope", []byte{1, 2, 3}, badRequest},
		{"no payload header", protoutil.MustMarshal(&cb.Envelope{Payload: []byte{}}), badRequest},
		{"no timestamp", w.request(admin, all, func(s *protoutil.EnvelopeSpec) { s.Time = time.Time{} }), badRequest},
		{"too old", w.request(admin, all, func(s *protoutil.EnvelopeSpec) { s.Time = w.now.Add(-15*time.Minute - 1) }), badRequest},
		{"too far ahead", w.request(admin, all, func(s *protoutil.EnvelopeSpec) { s.Time = w.now.Add(15*time.Minute + 1) }), badRequest},
		{"unknown channel", w.request(admin, all, func(s *protoutil.EnvelopeSpec) { s.ChannelID = "other" }), notFound},
		{"a too old request for an unknown channel", w.request(admin, all, func(s *protoutil.EnvelopeSpec) { s.ChannelID, s.Time = "other", time.Unix(1, 0) }), badRequest},
		{"no SeekInfo", w.request(admin, nil, func(s *protoutil.EnvelopeSpec) { s.Data, s.Bytes = nil, []byte{1, 2, 3} }), badRequest},
		{"a forged signature", protoutil.MustMarshal(forged), forbidden},
		{"an unsigned request", w.request(nil, all, nil), forbidden},
		{"forbidden goes before missing positions", w.request(nil, &ab.SeekInfo{}, nil), forbidden},
	} {
		require.Equal(t, []any{test.want}, w.serve(test.raw), test.name)
	}
	_, err := NewHandler(w.options).parse(&stream{ctx: t.Context()}, w.request(admin, all, func(s *protoutil.EnvelopeSpec) { s.Time = time.Time{} }))
	require.EqualError(t, err, "channel header in envelope must contain timestamp")
	edge := w.request(admin, all, func(s *protoutil.EnvelopeSpec) { s.Time = w.now.Add(-15 * time.Minute) })
	require.Equal(t, blocks(0, 1, success), w.serve(edge), "the window's edge is inside")
}

func TestSeveralRequestsOnOneStream(t *testing.T) {
	w := newWorld(t, 3)
	r := w.request(w.net.OrdererAdmin(), &ab.SeekInfo{Start: newest, Stop: newest}, nil)
	bad := w.request(w.net.OrdererAdmin(), &ab.SeekInfo{Start: at(9), Stop: at(9)}, nil)
	require.Equal(t, []any{uint64(2), success, uint64(2), success, notFound}, w.serve(r, r, bad, r), "the first status that is not SUCCESS ends the stream")
}

func TestTLSBinding(t *testing.T) {
	w := newWorld(t, 1)
	w.options.BindTLS = true
	cert := &x509.Certificate{Raw: []byte("certificate")}
	hash := sha256.Sum256(cert.Raw)
	for name, test := range map[string]struct {
		claim []byte
		cert  *x509.Certificate
		want  []any
		text  string
	}{
		"bound":          {hash[:], cert, blocks(0, 0, success), ""},
		"no hash":        {nil, cert, []any{badRequest}, "client didn't include its TLS cert hash"},
		"no certificate": {hash[:], nil, []any{badRequest}, "client didn't send a TLS certificate"},
		"another's": {[]byte{1, 2}, cert, []any{badRequest},
			fmt.Sprintf("claimed TLS cert hash is [1 2] but actual TLS cert hash is %v", hash)},
	} {
		s := &stream{ctx: t.Context(), requests: make(chan []byte, 1), cert: test.cert}
		s.requests <- w.request(w.net.OrdererAdmin(), &ab.SeekInfo{Start: newest, Stop: newest}, func(e *protoutil.EnvelopeSpec) { e.TLSCertHash = test.claim })
		close(s.requests)
		require.NoError(t, NewHandler(w.options).Handle(s))
		require.Equal(t, test.want, s.sent, name)
		if test.text != "" {
			require.EqualError(t, bound(test.claim, test.cert), test.text)
		}
	}
}

func TestTheConsentersErrors(t *testing.T) {
	w := newWorld(t, 1)
	w.channel.chain.Chain = inactive.NewChain(errors.New("x"))
	close(w.channel.chain.errored)
	admin := w.net.OrdererAdmin()
	require.Equal(t, []any{unavailable}, w.serve(w.request(admin, &ab.SeekInfo{Start: newest, Stop: newest}, nil)))
	require.Equal(t, []any{unavailable}, w.serve(w.request(nil, &ab.SeekInfo{}, nil)), "asked before access")
	require.Equal(t, blocks(0, 0, success), w.serve(w.request(admin, &ab.SeekInfo{Start: newest, Stop: newest, ErrorResponse: ab.SeekInfo_BEST_EFFORT}, nil)))
}

// A stream that waits for blocks gets them as they come, and ends when the
// consenter fails, when the client leaves or when it may no longer read.
func TestAWaitingStream(t *testing.T) {
	w := newWorld(t, 1)
	request := w.request(w.net.OrgUser("User1"), &ab.SeekInfo{Start: oldest, Stop: at(100)}, nil)
	for _, test := range []struct {
		name string
		then func(cancel func())
		want []any
		err  string
	}{
		{"the consenter fails", func(func()) { close(w.channel.chain.errored) }, []any{uint64(0), uint64(1), unavailable}, ""},
		{"the client leaves", func(cancel func()) { cancel() }, []any{uint64(0), uint64(1)}, "context finished before block retrieved"},
		{"maintenance mode shuts peers out", func(func()) {
			w.channel.mu.Lock()
			w.channel.config = w.bundle(ab.ConsensusType_STATE_MAINTENANCE, true)
			w.channel.mu.Unlock()
			w.channel.ledger.add()
		}, []any{uint64(0), uint64(1), forbidden}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			w.channel = &testChannel{ledger: newLedger(1), chain: &testChain{errored: make(chan struct{})}, config: w.bundle(ab.ConsensusType_STATE_NORMAL, true)}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			s := &stream{ctx: ctx, requests: make(chan []byte, 1)}
			s.requests <- request
			done := make(chan error, 1)
			go func() { done <- NewHandler(w.options).Handle(s) }()
			synctest.Wait()
			require.Equal(t, []any{uint64(0)}, s.sent, test.name)
			w.channel.ledger.add()
			synctest.Wait()
			require.Equal(t, []any{uint64(0), uint64(1)}, s.sent, test.name)
			test.then(cancel)
			err := <-done
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
			require.Equal(t, test.want, s.sent, test.name)
		})
	}
}

func TestExpiryIsLookedAtBeforeEveryBlock(t *testing.T) {
	w := newWorld(t, 3)
	request := w.request(w.net.OrdererAdmin(), &ab.SeekInfo{Start: oldest, Stop: newest}, nil)
	s := &stream{ctx: t.Context(), requests: make(chan []byte, 1), onBlock: func(n uint64) error {
		if n == 1 {
			w.now = w.now.AddDate(100, 0, 0)
		}
		return nil
	}}
	s.requests <- request
	close(s.requests)
	require.NoError(t, NewHandler(w.options).Handle(s))
	require.Equal(t, []any{uint64(0), uint64(1), forbidden}, s.sent)

	a := &access{h: NewHandler(w.options), expiresAt: w.now.Add(-90 * time.Second)}
	require.EqualError(t, a.evaluate(), "deliver client identity expired 1m30s before")

	w.options.NoExpirationChecks = true
	require.Equal(t, blocks(0, 2, success), w.serve(w.request(w.net.OrdererAdmin(), &ab.SeekInfo{Start: oldest, Stop: newest}, nil)))
}

func TestASendErrorEndsTheStream(t *testing.T) {
	w := newWorld(t, 3)
	s := &stream{ctx: t.Context(), requests: make(chan []byte, 1), onBlock: func(uint64) error { return io.ErrClosedPipe }}
	s.requests <- w.request(w.net.OrdererAdmin(), &ab.SeekInfo{Start: oldest, Stop: newest}, nil)
	require.ErrorIs(t, NewHandler(w.options).Handle(s), io.ErrClosedPipe)
}

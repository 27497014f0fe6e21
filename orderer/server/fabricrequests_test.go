package server

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/fabrictest"
	"raftmig/orderer/protoutil"
)

// Raft metadata that a running Raft chain refuses (spec 4.2, 4.3, 4.4).
func TestInteropRaftMetadataIsRefusedAsByARealOrderer(t *testing.T) {
	fabrictest.Since(t, 2, 0, "1.4 looks at certificates later, and at less")
	raft := func() *network {
		n := newNetwork(t)
		n.raftGenesis(n.RaftMetadata(n.ports[0]))
		return n
	}
	theirs, ours := raft(), raft()
	c := compare(ours, theirs.startFabric(0), ours.start(0, ""))
	for _, r := range c.pair {
		r.awaitLog("Raft leader changed: 0 -> ")
		r.accepted(r.Creation())
		r.blocks("ch1", r.OrgUser("User1"), 0)
	}
	foreign := clustertest.NewCA(t, "foreign").Issue(t, "alien")
	junk := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("junk")})
	for _, tc := range []struct {
		name   string
		change func(*etcdraft.ConfigMetadata)
	}{
		{"no options", func(m *etcdraft.ConfigMetadata) { m.Options = nil }},
		{"no heartbeat", func(m *etcdraft.ConfigMetadata) { m.Options.HeartbeatTick = 0 }},
		{"no election", func(m *etcdraft.ConfigMetadata) { m.Options.ElectionTick = 0 }},
		{"nothing in flight", func(m *etcdraft.ConfigMetadata) { m.Options.MaxInflightBlocks = 0 }},
		{"election as fast as heartbeat", func(m *etcdraft.ConfigMetadata) { m.Options.ElectionTick = m.Options.HeartbeatTick }},
		{"no unit", func(m *etcdraft.ConfigMetadata) { m.Options.TickInterval = "500" }},
		{"no tick", func(m *etcdraft.ConfigMetadata) { m.Options.TickInterval = "0s" }},
		{"nobody", func(m *etcdraft.ConfigMetadata) { m.Consenters = nil }},
		{"no certificate", func(m *etcdraft.ConfigMetadata) { m.Consenters[0].ClientTlsCert = nil }},
		{"no server certificate", func(m *etcdraft.ConfigMetadata) { m.Consenters[0].ServerTlsCert = nil }},
		{"no PEM", func(m *etcdraft.ConfigMetadata) { m.Consenters[0].ClientTlsCert = []byte{1, 0xab} }},
		{"PEM around junk", func(m *etcdraft.ConfigMetadata) { m.Consenters[0].ServerTlsCert = junk }},
		{"a foreign client certificate", func(m *etcdraft.ConfigMetadata) { m.Consenters[0].ClientTlsCert = foreign.PEM }},
		{"a foreign server certificate", func(m *etcdraft.ConfigMetadata) { m.Consenters[0].ServerTlsCert = foreign.PEM }},
		{"the same twice", func(m *etcdraft.ConfigMetadata) { m.Consenters = append(m.Consenters, m.Consenters[0]) }},
		{"two at a time", func(m *etcdraft.ConfigMetadata) { *m = *c.metadata(7050, 7150, 7250) }},
	} {
		c.refused(tc.name, c.consensus(func(v *ab.ConsensusType) {
			m := c.metadata(7050)
			tc.change(m)
			v.Metadata = protoutil.MustMarshal(m)
		}))
	}
	c.refused("junk as metadata", c.consensus(func(v *ab.ConsensusType) { v.Metadata = []byte{1, 2, 3} }))
	c.creation("foreign consenters", func(u *cb.ConfigUpdate) {
		group := &cb.ConfigGroup{Values: map[string]*cb.ConfigValue{channelconfig.ConsensusTypeKey: {Version: 1, ModPolicy: "Admins",
			Value: protoutil.MustMarshal(&ab.ConsensusType{Type: "etcdraft", Metadata: protoutil.MustMarshal(c.metadata(7050, 7150))})}}}
		u.WriteSet.Groups[channelconfig.OrdererGroup] = group
		u.ReadSet.Groups[channelconfig.OrdererGroup] = &cb.ConfigGroup{}
	}, c.org, c.admin)
}

// metadata makes the first orderers consenters.
func (c *comparison) metadata(ports ...int) *etcdraft.ConfigMetadata {
	m := &etcdraft.ConfigMetadata{}
	require.NoError(c.t, proto.Unmarshal(c.net.RaftMetadata(ports...), m))
	return m
}

// conversation sends envelopes on one Deliver stream and returns what comes
// until it ends: numbers of blocks, statuses, and how it ended.
func (r *running) conversation(envs ...*cb.Envelope) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := ab.NewAtomicBroadcastClient(r.dial()).Deliver(ctx)
	require.NoError(r.t, err)
	for _, env := range envs {
		if stream.Send(env) != nil {
			break // it has ended; what was said of it is still to be read
		}
	}
	require.NoError(r.t, stream.CloseSend())
	var got strings.Builder
	for {
		resp, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return got.String() + "end"
			}
			return got.String() + status.Code(err).String()
		}
		if b := resp.GetBlock(); b != nil {
			fmt.Fprint(&got, b.Header.Number, " ")
			continue
		}
		fmt.Fprint(&got, resp.GetStatus(), " ")
	}
}

// requests compares the answers to requests that are not as they should be, and
// to several on one stream.
func (c *comparison) requests() {
	c.t.Helper()
	newest := newestOnly.Start
	request := func(change func(*protoutil.EnvelopeSpec), seek *ab.SeekInfo, signer protoutil.Signer) *cb.Envelope {
		spec := protoutil.EnvelopeSpec{Type: cb.HeaderType_DELIVER_SEEK_INFO, ChannelID: "ch1", Time: time.Now(), Data: seek}
		if change != nil {
			change(&spec)
		}
		env, err := protoutil.NewSignedEnvelope(spec, signer)
		require.NoError(c.t, err)
		return env
	}
	good := request(nil, newestOnly, c.user)
	forged := proto.Clone(good).(*cb.Envelope)
	forged.Signature[len(forged.Signature)-1] ^= 1
	next := &ab.SeekPosition{Type: &ab.SeekPosition_NextCommit{NextCommit: &ab.SeekNextCommit{}}}
	fail := ab.SeekInfo_FAIL_IF_NOT_READY
	for name, envs := range map[string][]*cb.Envelope{
		"three times":               {good, good, good},
		"a refusal ends the stream": {good, forged, good},
		"empty":                     {{}},
		"junk":                      {{Payload: []byte{1, 2}}},
		"no headers":                {{Payload: protoutil.MustMarshal(&cb.Payload{Data: []byte("x")})}},
		"forged":                    {forged},
		"no timestamp":              {request(func(s *protoutil.EnvelopeSpec) { s.Time = time.Time{} }, newestOnly, c.user)},
		"16 minutes old":            {request(func(s *protoutil.EnvelopeSpec) { s.Time = time.Now().Add(-16 * time.Minute) }, newestOnly, c.user)},
		"16 minutes ahead":          {request(func(s *protoutil.EnvelopeSpec) { s.Time = time.Now().Add(16 * time.Minute) }, newestOnly, c.user)},
		"14 minutes old":            {request(func(s *protoutil.EnvelopeSpec) { s.Time = time.Now().Add(-14 * time.Minute) }, newestOnly, c.user)},
		"another type":              {request(func(s *protoutil.EnvelopeSpec) { s.Type = cb.HeaderType_CONFIG }, newestOnly, c.user)},
		"a hash without mutual TLS": {request(func(s *protoutil.EnvelopeSpec) { s.TLSCertHash = []byte("whatever") }, newestOnly, c.user)},
		"junk as SeekInfo":          {request(func(s *protoutil.EnvelopeSpec) { s.Data, s.Bytes = nil, []byte{1, 2, 3} }, nil, c.user)},
		"no SeekInfo":               {request(func(s *protoutil.EnvelopeSpec) { s.Data, s.Bytes = nil, nil }, nil, c.user)},
		"unsigned":                  {request(nil, newestOnly, nil)},
		"unsigned and unknown":      {request(func(s *protoutil.EnvelopeSpec) { s.ChannelID = "other" }, newestOnly, nil)},
		"next commit":               {request(nil, &ab.SeekInfo{Start: next, Stop: next, Behavior: fail}, c.user)},
		"stop at next commit":       {request(nil, &ab.SeekInfo{Start: newest, Stop: next, Behavior: fail}, c.user)},
		"an unknown behavior":       {request(nil, &ab.SeekInfo{Start: newest, Stop: newest, Behavior: 9}, c.user)},
		"an unknown error response": {request(nil, &ab.SeekInfo{Start: newest, Stop: newest, ErrorResponse: 9}, c.user)},
		"best effort":               {request(nil, &ab.SeekInfo{Start: newest, Stop: newest, ErrorResponse: ab.SeekInfo_BEST_EFFORT}, c.user)},
		"a specified nothing":       {request(nil, &ab.SeekInfo{Start: &ab.SeekPosition{Type: &ab.SeekPosition_Specified{Specified: &ab.SeekSpecified{}}}, Stop: newest}, c.user)},
	} {
		theirs, ours := c.pair[0].conversation(envs...), c.pair[1].conversation(envs...)
		c.t.Logf("%s: %s", name, theirs)
		assert.Equal(c.t, theirs, ours, "request: %s", name)
	}
}

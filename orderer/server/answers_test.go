package server

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// answer is what Broadcast must say; the text is a part of the answer's, and
// there is none where it is "-".
type answer struct {
	row    string
	env    *cb.Envelope
	status cb.Status
	info   string
}

func (r *running) requireAnswers(rows []answer) {
	r.t.Helper()
	for _, row := range rows {
		resp := r.broadcast(row.env)
		require.Equal(r.t, row.status, resp.Status, "%s: %s", row.row, resp.Info)
		if row.info == "-" {
			require.Empty(r.t, resp.Info, row.row)
			continue
		}
		require.Contains(r.t, resp.Info, row.info, row.row)
	}
}

// Every row of appendix E that a client can bring about at a running orderer.
// Elsewhere: an expired creator (msgprocessor), no system channel
// (TestAnOrdererWithoutASystemChannel), an inactive channel
// (TestANewNodeJoinsAfterTheMigration), Kafka that is not there
// (TestWithoutKafka...), halted and stopped chains (consensus/kafka, etcdraft).
func TestEveryRowOfAppendixE(t *testing.T) {
	n := newNetwork(t)
	n.raftGenesis(n.RaftMetadata(n.ports[:2]...))
	nodes := n.startAll(2, "")
	o, user, admin := nodes[0], n.OrgUser("User1"), n.OrdererAdmin()
	o.awaitLog("Raft leader changed: 0 -> ")
	o.accepted(n.Creation())
	o.blocks("ch1", user, 0)
	o.accepted(n.Message("ch1", user, "the chain is ready"))
	ofType := func(kind cb.HeaderType) *cb.Envelope {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: kind, ChannelID: "ch1", Bytes: []byte("x")}, user)
		require.NoError(t, err)
		return env
	}
	update := func(channel string, values map[string]proto.Message, sender protoutil.Signer, signers ...protoutil.Signer) *cb.Envelope {
		config, _ := o.lastConfig(channel, admin)
		return n.SignedUpdate(fixture.OrdererUpdate(channel, config, values), sender, signers...)
	}
	size := func(absolute, preferred uint32) map[string]proto.Message {
		return map[string]proto.Message{channelconfig.BatchSizeKey: &ab.BatchSize{MaxMessageCount: 10, AbsoluteMaxBytes: absolute, PreferredMaxBytes: preferred}}
	}
	o.requireAnswers([]answer{
		{"accepted", n.Message("ch1", user, "1"), cb.Status_SUCCESS, "-"},
		{"accepted config", update("ch1", size(1<<20, 1<<20), admin, admin), cb.Status_SUCCESS, "-"},
	})
	o.awaitConfig("ch1", 1)
	o.requireAnswers([]answer{
		{"empty", &cb.Envelope{}, cb.Status_BAD_REQUEST, "could not determine channel ID: "},
		{"payload not parsable", &cb.Envelope{Payload: []byte{1, 2}}, cb.Status_BAD_REQUEST, "could not determine channel ID: "},
		{"header not parsable", &cb.Envelope{Payload: protoutil.MustMarshal(&cb.Payload{Header: &cb.Header{ChannelHeader: []byte{1}}})}, cb.Status_BAD_REQUEST, "could not determine channel ID: "},
		{"type CONFIG", ofType(cb.HeaderType_CONFIG), cb.Status_BAD_REQUEST, "message is of type that cannot be processed directly"},
		{"type ORDERER_TRANSACTION", ofType(cb.HeaderType_ORDERER_TRANSACTION), cb.Status_BAD_REQUEST, "message is of type that cannot be processed directly"},
		{"unknown channel", n.Message("nowhere", user, "x"), cb.Status_NOT_FOUND, "channel does not exist"},
		{"too large", n.Message("ch1", user, string(make([]byte, 1<<20))), cb.Status_BAD_REQUEST, " bytes and exceeds maximum allowed 1048576 bytes"},
		{"Writers not met", &cb.Envelope{Payload: n.Message("ch1", user, "x").Payload, Signature: []byte("none")}, cb.Status_FORBIDDEN, ": permission denied"},
	})
	unsigned := update("ch1", size(1<<21, 1<<20), user, admin)
	unsigned.Signature = []byte("none")
	o.requireAnswers([]answer{
		{"Writers not met by a config update", unsigned, cb.Status_FORBIDDEN, "config update for existing channel did not pass initial checks: "},
		{"config update rejected: 7.1", update("ch1", size(1<<21, 1<<20), user, user), cb.Status_BAD_REQUEST, "error applying config update to existing channel 'ch1': error authorizing update: error validating DeltaSet: policy for [Value]  /Channel/Orderer/BatchSize not satisfied: "},
		{"config update rejected: 7.2", update("ch1", size(1, 2), admin, admin), cb.Status_BAD_REQUEST, "Attempted to set the batch size preferred max bytes (2) greater than the absolute max bytes (1)."},
		{"config update rejected: 4.2", update("ch1", map[string]proto.Message{channelconfig.ConsensusTypeKey: &ab.ConsensusType{Type: "etcdraft", Metadata: []byte{18, 0}}}, admin, admin), cb.Status_BAD_REQUEST,
			"error applying config update to existing channel 'ch1': consensus metadata update for channel config update is invalid: invalid new config metadata: none of HeartbeatTick (0), ElectionTick (0) and MaxInflightBlocks (0) can be zero"},
		{"config update rejected: no metadata, which Fabric accepts and no orderer survives", update("ch1", map[string]proto.Message{channelconfig.ConsensusTypeKey: &ab.ConsensusType{Type: "etcdraft"}}, admin, admin), cb.Status_BAD_REQUEST,
			"consensus metadata update for channel config update is invalid: invalid new config metadata: nil Raft config metadata options"},
		{"config update rejected: 4.3", update("ch1", map[string]proto.Message{channelconfig.ConsensusTypeKey: &ab.ConsensusType{Type: "etcdraft", Metadata: []byte{1}}}, admin, admin), cb.Status_BAD_REQUEST,
			"consensus metadata update for channel config update is invalid: failed to unmarshal new etcdraft metadata configuration: "},
		{"config update rejected: 1.3", update("ch1", map[string]proto.Message{channelconfig.ConsensusTypeKey: &ab.ConsensusType{Type: "solo", Metadata: n.RaftMetadata(n.ports[:2]...)}}, admin, admin), cb.Status_BAD_REQUEST,
			"config update for existing channel did not pass maintenance checks: config transaction inspection failed: attempted to change consensus type from etcdraft to solo, but current config ConsensusType.State is not in maintenance mode"},
		{"config update rejected: 7.3", n.Creation(), cb.Status_BAD_REQUEST, "error applying config update to existing channel 'ch1': error authorizing update: error validating ReadSet: proposed update requires that key [Group]  /Channel/Application be at version 0, but it is currently at version 1"},
	})
	for _, ch := range []string{"ch1", "syschannel"} {
		o.changeConsensus(ch, func(c *ab.ConsensusType) { c.State = ab.ConsensusType_STATE_MAINTENANCE })
	}
	other := n.CreationUpdate()
	other.ChannelId = "ch2"
	orgAdmin := n.OrgUser("Admin")
	o.requireAnswers([]answer{
		{"normal message in maintenance", n.Message("ch1", user, "x"), cb.Status_SERVICE_UNAVAILABLE, "normal transactions are rejected: maintenance mode"},
		{"creation in maintenance", n.SignedUpdate(other, orgAdmin, orgAdmin), cb.Status_SERVICE_UNAVAILABLE, "channel creation is not permitted: maintenance mode"},
	})
	nodes[1].shutdown()
	o.awaitLog("No leader is present, cluster size is 2")
	withoutMetadata := func(kind string) map[string]proto.Message {
		return map[string]proto.Message{channelconfig.ConsensusTypeKey: &ab.ConsensusType{Type: kind, State: ab.ConsensusType_STATE_MAINTENANCE}}
	}
	o.requireAnswers([]answer{
		{"no metadata, back to Kafka", update("ch1", withoutMetadata("kafka"), admin, admin), cb.Status_BAD_REQUEST, "nil Raft config metadata options"},
	})
	require.Eventually(t, func() bool {
		resp := o.broadcast(update("ch1", map[string]proto.Message{channelconfig.BatchTimeoutKey: &ab.BatchTimeout{Timeout: "3s"}}, admin, admin))
		return resp.Status == cb.Status_SERVICE_UNAVAILABLE && resp.Info == "no Raft leader"
	}, patience, tick)
}

package msgprocessor

import (
	"fmt"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

func newBundle(channelID string, config *cb.Config) (channelconfig.Resources, error) {
	b, err := channelconfig.NewBundle(channelID, config)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// testChannel is a channel without ledger and consenter.
type testChannel struct {
	protoutil.Signer
	t         testing.TB
	net       *fixture.Network
	resources channelconfig.Resources
	channels  int
	metadata  error // of ValidateConsensusMetadata
}

func (c *testChannel) Resources() channelconfig.Resources { return c.resources }
func (c *testChannel) ChannelsCount() int                 { return c.channels }
func (c *testChannel) ValidateConsensusMetadata(_, _ channelconfig.Orderer, _ bool) error {
	return c.metadata
}

func (c *testChannel) ProposeConfigUpdate(update *cb.Envelope) (*cb.ConfigEnvelope, error) {
	next, err := c.resources.ConfigtxValidator().ProposeConfigUpdate(update)
	if err != nil {
		return nil, err
	}
	b, err := newBundle(c.id(), next.Config)
	if err != nil {
		return nil, err
	}
	return next, c.resources.ValidateNew(b)
}

func (c *testChannel) id() string { return c.resources.ConfigtxValidator().ChannelID() }

func (c *testChannel) config() *cb.Config {
	return proto.Clone(c.resources.ConfigtxValidator().ConfigProto()).(*cb.Config)
}

// set makes config the channel's configuration.
func (c *testChannel) set(config *cb.Config) {
	b, err := newBundle(c.id(), config)
	require.NoError(c.t, err)
	c.resources = b
}

var testTime = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func testOptions() Options {
	return Options{NewBundle: newBundle, Now: func() time.Time { return testTime }, Logger: zap.NewNop().Sugar()}
}

// newSystem is the fixture's system channel, changed by change.
func newSystem(t testing.TB, change func(*cb.Config)) (*testChannel, *SystemChannel) {
	net := fixture.New(t)
	config := net.SystemConfig()
	if change != nil {
		change(config)
	}
	b, err := newBundle("syschannel", config)
	require.NoError(t, err)
	c := &testChannel{Signer: net.Orderer(0), t: t, net: net, resources: b, channels: 1}
	return c, NewSystemChannel(c, testOptions())
}

// newApplication is channel ch1 as the system channel creates it, changed by change.
func newApplication(t testing.TB, change func(*cb.Config)) (*testChannel, *StandardChannel) {
	system, p := newSystem(t, nil)
	created, _, err := p.ProcessConfigUpdateMsg(protoutil.NewMessage(system.net.Creation()))
	require.NoError(t, err)
	payload, err := protoutil.EnvelopePayload(created.Envelope)
	require.NoError(t, err)
	inner, err := protoutil.UnmarshalEnvelope(payload.Data)
	require.NoError(t, err)
	e, err := protoutil.ConfigEnvelope(inner)
	require.NoError(t, err)
	if change != nil {
		change(e.Config)
	}
	b, err := newBundle("ch1", e.Config)
	require.NoError(t, err)
	c := &testChannel{Signer: system.Signer, t: t, net: system.net, resources: b}
	return c, NewStandardChannel(c, testOptions())
}

// update is a minimal update of Orderer values, signed and sent by the
// orderers' administrator.
func (c *testChannel) update(values map[string]proto.Message) *protoutil.Message {
	admin := c.net.OrdererAdmin()
	return protoutil.NewMessage(c.net.SignedUpdate(fixture.OrdererUpdate(c.id(), c.config(), values), admin, admin))
}

// apply processes an update and, if it is accepted, puts it into force.
func (c *testChannel) apply(p Processor, msg *protoutil.Message) error {
	wrapped, seq, err := p.ProcessConfigUpdateMsg(msg)
	if err != nil {
		return err
	}
	if seq != c.resources.ConfigtxValidator().Sequence() {
		return fmt.Errorf("sequence %d", seq)
	}
	e, err := protoutil.ConfigEnvelope(wrapped.Envelope)
	if err != nil {
		return err
	}
	if err := c.resources.ConfigtxValidator().Validate(e); err != nil {
		return err
	}
	c.set(e.Config)
	return nil
}

package msgprocessor

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// Templator makes the configuration to which the update that creates a
// channel is applied (spec 7.3).
type Templator struct {
	NewBundle NewBundleFunc
	Logger    *zap.SugaredLogger
}

// creation is a channel creation request as far as the template needs it.
type creation struct {
	channelID   string
	consortium  string
	application *cb.ConfigGroup // of the write set
}

// NewChannelConfig returns the template for the channel that update creates,
// made from the system channel's configuration.
func (t Templator) NewChannelConfig(system channelconfig.Resources, update *cb.Envelope) (channelconfig.Resources, error) {
	c, err := parseCreation(update)
	if err != nil {
		return nil, err
	}
	consortiums, ok := system.ConsortiumsConfig()
	if !ok {
		return nil, errors.New("The ordering system channel does not appear to support creating channels") //nolint:staticcheck // Fabric's text
	}
	consortium, ok := consortiums.Consortiums()[c.consortium]
	if !ok {
		return nil, fmt.Errorf("Unknown consortium name: %s", c.consortium) //nolint:staticcheck // Fabric's text
	}
	systemGroup := system.ConfigtxValidator().ConfigProto().GetChannelGroup()
	members := systemGroup.GetGroups()[channelconfig.ConsortiumsGroup].GetGroups()[c.consortium].GetGroups()
	application, err := t.applicationGroup(c, members)
	if err != nil {
		return nil, err
	}
	orderer, hasOrderer := system.OrdererConfig()
	policyKey := creationPolicyKey(c, hasOrderer && orderer.Capabilities().UseChannelCreationPolicyAsAdmins())
	application.ModPolicy = policyKey
	application.Policies[policyKey] = &cb.ConfigPolicy{Policy: consortium.ChannelCreationPolicy(), ModPolicy: policyKey}

	group := channelGroup(systemGroup, application, c.consortium)
	if hasOrderer && orderer.Capabilities().PredictableChannelTemplate() {
		group.ModPolicy = systemGroup.GetModPolicy()
		zeroVersions(group)
	}
	return t.NewBundle(c.channelID, &cb.Config{ChannelGroup: group})
}

//nolint:staticcheck // Fabric's texts
func parseCreation(update *cb.Envelope) (*creation, error) {
	const failing = "Failing initial channel config creation"
	p, err := protoutil.UnmarshalPayload(update.GetPayload())
	if err != nil {
		return nil, fmt.Errorf(failing+" because of payload unmarshalling error: %w", err)
	}
	e, err := protoutil.UnmarshalConfigUpdateEnvelope(p.Data)
	if err != nil {
		return nil, fmt.Errorf(failing+" because of config update envelope unmarshalling error: %w", err)
	}
	if p.Header == nil {
		return nil, errors.New("Failed initial channel config creation because config update header was missing")
	}
	h, err := header(p)
	if err != nil {
		return nil, fmt.Errorf("Failed initial channel config creation because channel header was malformed: %w", err)
	}
	u, err := protoutil.UnmarshalConfigUpdate(e.ConfigUpdate)
	if err != nil {
		return nil, fmt.Errorf(failing+" because of config update unmarshalling error: %w", err)
	}
	application := u.GetWriteSet().GetGroups()[channelconfig.ApplicationGroup]
	switch {
	case u.ChannelId != h.ChannelId:
		return nil, fmt.Errorf(failing+": mismatched channel IDs: '%s' != '%s'", u.ChannelId, h.ChannelId)
	case u.WriteSet == nil:
		return nil, errors.New("Config update has an empty writeset")
	case application == nil:
		return nil, errors.New("Config update has missing application group")
	case application.Version != 1:
		return nil, fmt.Errorf("Config update for channel creation does not set application group version to 1, was %d", application.Version)
	}
	value, ok := u.WriteSet.Values[channelconfig.ConsortiumKey]
	if !ok {
		return nil, errors.New("Consortium config value missing")
	}
	consortium := &cb.Consortium{}
	if err := proto.Unmarshal(value.GetValue(), consortium); err != nil {
		return nil, fmt.Errorf("Error reading unmarshalling consortium name: %w", err)
	}
	return &creation{channelID: h.ChannelId, consortium: consortium.Name, application: application}, nil
}

// applicationGroup copies the requested members from the consortium. In a
// consortium without members any may be requested; they are not copied.
func (t Templator) applicationGroup(c *creation, members map[string]*cb.ConfigGroup) (*cb.ConfigGroup, error) {
	group := &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{}, Policies: map[string]*cb.ConfigPolicy{}}
	if len(members) == 0 {
		t.Logger.Warnf("System channel consortium has no members, attempting to create application channel %s with %d members",
			c.channelID, len(c.application.Groups))
		return group, nil
	}
	if len(c.application.Groups) == 0 {
		return nil, errors.New("Proposed configuration has no application group members, but consortium contains members") //nolint:staticcheck // Fabric's text
	}
	for name := range c.application.Groups {
		member, ok := members[name]
		if !ok {
			return nil, fmt.Errorf("Attempted to include member %s which is not in the consortium", name) //nolint:staticcheck // Fabric's text
		}
		group.Groups[name] = proto.Clone(member).(*cb.ConfigGroup)
	}
	return group, nil
}

// creationPolicyKey names the policy that holds the consortium's creation
// policy: Admins where the capability says so and the request comes from a
// configtxgen that leaves Admins to be set by a higher version.
func creationPolicyKey(c *creation, asAdmins bool) string {
	if asAdmins && len(c.application.Policies) > 0 {
		if p, ok := c.application.Policies[channelconfig.AdminsPolicyKey]; !ok || p.GetVersion() != 0 {
			return channelconfig.AdminsPolicyKey
		}
	}
	return channelconfig.ChannelCreationPolicyKey
}

// channelGroup is the system channel's own values and policies with its
// Orderer group and the new Application group.
func channelGroup(system, application *cb.ConfigGroup, consortium string) *cb.ConfigGroup {
	group := &cb.ConfigGroup{
		Groups:   map[string]*cb.ConfigGroup{channelconfig.ApplicationGroup: application},
		Values:   map[string]*cb.ConfigValue{},
		Policies: map[string]*cb.ConfigPolicy{},
	}
	for key, v := range system.GetValues() {
		group.Values[key] = proto.Clone(v).(*cb.ConfigValue)
	}
	for key, p := range system.GetPolicies() {
		group.Policies[key] = proto.Clone(p).(*cb.ConfigPolicy)
	}
	if o := system.GetGroups()[channelconfig.OrdererGroup]; o != nil {
		group.Groups[channelconfig.OrdererGroup] = proto.Clone(o).(*cb.ConfigGroup)
	}
	group.Values[channelconfig.ConsortiumKey] = &cb.ConfigValue{
		Value:     protoutil.MustMarshal(&cb.Consortium{Name: consortium}),
		ModPolicy: channelconfig.AdminsPolicyKey,
	}
	return group
}

func zeroVersions(g *cb.ConfigGroup) {
	g.Version = 0
	for _, v := range g.Values {
		v.Version = 0
	}
	for _, p := range g.Policies {
		p.Version = 0
	}
	for _, sub := range g.Groups {
		zeroVersions(sub)
	}
}

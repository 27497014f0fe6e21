package configtxgen

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-config/configtx"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

type protoMessage = proto.Message

// CreateChannelTx makes the unsigned transaction that creates a channel
// through the system channel. Without base, only the Application section of p
// counts; base is the profile of the system channel, against which everything
// else of p is compared.
func CreateChannelTx(p, base *Profile, channelID string, o Options) (*cb.Envelope, error) {
	if err := CheckChannelID(channelID); err != nil {
		return nil, err
	}
	if p.Application == nil {
		return nil, errors.New("cannot define a new channel with no Application section")
	}
	if p.Consortium == "" {
		return nil, errors.New("cannot define a new channel with no Consortium value")
	}
	e := newEncoder(o)
	if base == nil {
		e.quiet = onlyApplication
	}
	group, err := e.channel(p)
	if err != nil {
		return nil, err
	}
	var template *cb.ConfigGroup
	if base == nil {
		template = proto.Clone(group).(*cb.ConfigGroup)
		app := template.Groups[channelconfig.ApplicationGroup]
		app.Values, app.Policies = nil, nil
	} else {
		system, err := e.channel(base)
		if err != nil {
			return nil, fmt.Errorf("the base profile: %w", err)
		}
		if template, err = creationTemplate(p, system); err != nil {
			return nil, err
		}
	}
	return e.creation(channelID, p.Consortium, template, group)
}

// CreateChannelTxOf makes the unsigned transaction that creates a channel with
// the configuration group through the system channel whose configuration is
// system; the versions of both are 0. Whatever differs from the system channel
// is part of the transaction and needs the signatures that guard it there.
func CreateChannelTxOf(group, system *cb.ConfigGroup, channelID string, o Options) (*cb.Envelope, error) {
	if err := CheckChannelID(channelID); err != nil {
		return nil, err
	}
	c := &cb.Consortium{}
	if err := proto.Unmarshal(group.GetValues()[channelconfig.ConsortiumKey].GetValue(), c); err != nil {
		return nil, fmt.Errorf("decoding the consortium: %w", err)
	}
	p := &Profile{Consortium: c.Name, Application: &Application{}}
	for _, name := range slices.Sorted(maps.Keys(group.GetGroups()[channelconfig.ApplicationGroup].GetGroups())) {
		p.Application.Organizations = append(p.Application.Organizations, &Organization{Name: name})
	}
	template, err := creationTemplate(p, system)
	if err != nil {
		return nil, err
	}
	// Without policies of its own the new group may define all of them, whatever
	// the capability says of the creation policy (spec 7.3).
	template.Groups[channelconfig.ApplicationGroup].Policies = nil
	return newEncoder(o).creation(channelID, c.Name, template, group)
}

// creation makes the transaction that leads from template to group.
func (e *encoder) creation(channelID, consortium string, template, group *cb.ConfigGroup) (*cb.Envelope, error) {
	update, err := computeUpdate(channelID, template, group)
	if err != nil {
		return nil, err
	}
	if update.ReadSet.Values == nil {
		update.ReadSet.Values = map[string]*cb.ConfigValue{}
	}
	if update.WriteSet.Values == nil {
		update.WriteSet.Values = map[string]*cb.ConfigValue{}
	}
	update.ReadSet.Values[channelconfig.ConsortiumKey] = &cb.ConfigValue{}
	update.WriteSet.Values[channelconfig.ConsortiumKey] = &cb.ConfigValue{Value: protoutil.MustMarshal(&cb.Consortium{Name: consortium})}
	return e.updateEnvelope(update)
}

// creationTemplate is what the system channel would make of a request for the
// organizations of p before the rest of the request is applied (spec 7.3).
func creationTemplate(p *Profile, system *cb.ConfigGroup) (*cb.ConfigGroup, error) {
	consortiums, ok := system.Groups[channelconfig.ConsortiumsGroup]
	if !ok {
		return nil, errors.New("the base profile describes no system channel: it has no Consortiums")
	}
	consortium, ok := consortiums.Groups[p.Consortium]
	if !ok {
		return nil, fmt.Errorf("the base profile has no consortium '%s'", p.Consortium)
	}
	t := proto.Clone(system).(*cb.ConfigGroup)
	delete(t.Groups, channelconfig.ConsortiumsGroup)
	app := &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{}, Policies: map[string]*cb.ConfigPolicy{admins: {}}}
	for _, org := range p.Application.Organizations {
		member, ok := consortium.Groups[org.Name]
		if !ok {
			return nil, fmt.Errorf("consortium %s does not contain member org %s", p.Consortium, org.Name)
		}
		app.Groups[org.Name] = proto.Clone(member).(*cb.ConfigGroup)
	}
	t.Groups[channelconfig.ApplicationGroup] = app
	return t, addValue(t, channelconfig.ConsortiumKey, &cb.Consortium{Name: p.Consortium}, admins)
}

// AnchorPeersUpdate makes the unsigned update that gives the organization
// called asOrg its anchor peers, on a channel fresh from CreateChannelTx.
func AnchorPeersUpdate(p *Profile, channelID, asOrg string, o Options) (*cb.Envelope, error) {
	if err := CheckChannelID(channelID); err != nil {
		return nil, err
	}
	if asOrg == "" {
		return nil, errors.New("must specify an organization to update the anchor peer for")
	}
	if p.Application == nil {
		return nil, errors.New("cannot update anchor peers without an application section")
	}
	e := newEncoder(o)
	e.quiet = func(string) bool { return true }
	updated, err := e.channel(p)
	if err != nil {
		return nil, err
	}
	updated.Groups[channelconfig.ApplicationGroup].Version = 1
	original := proto.Clone(updated).(*cb.ConfigGroup)
	org, ok := original.Groups[channelconfig.ApplicationGroup].Groups[asOrg]
	if !ok {
		return nil, fmt.Errorf("org with name '%s' does not exist in config", asOrg)
	}
	if _, ok := org.Values[channelconfig.AnchorPeersKey]; !ok {
		return nil, fmt.Errorf("org '%s' does not have any anchor peers defined", asOrg)
	}
	delete(org.Values, channelconfig.AnchorPeersKey)
	update, err := computeUpdate(channelID, original, updated)
	if err != nil {
		return nil, err
	}
	return e.updateEnvelope(update)
}

// OrgGroup returns the definition of an organization as an orderer group has it.
func OrgGroup(org *Organization, o Options) (*cb.ConfigGroup, error) {
	return newEncoder(o).ordererOrg(org)
}

func computeUpdate(channelID string, original, updated *cb.ConfigGroup) (*cb.ConfigUpdate, error) {
	c := configtx.New(&cb.Config{ChannelGroup: original})
	c.UpdatedConfig().ChannelGroup = updated
	raw, err := c.ComputeMarshaledUpdate(channelID)
	if err != nil {
		return nil, fmt.Errorf("could not compute update: %w", err)
	}
	return protoutil.UnmarshalConfigUpdate(raw)
}

func (e *encoder) updateEnvelope(update *cb.ConfigUpdate) (*cb.Envelope, error) {
	raw, err := protoutil.Marshal(update)
	if err != nil {
		return nil, fmt.Errorf("marshalling the config update: %w", err)
	}
	return unsigned(cb.HeaderType_CONFIG_UPDATE, update.ChannelId, nil, e.Now().Unix(), &cb.ConfigUpdateEnvelope{ConfigUpdate: raw})
}

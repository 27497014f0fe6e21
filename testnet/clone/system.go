package clone

import (
	"maps"
	"slices"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/policies/policydsl"
)

// ordererAdmins is the modification policy of what belongs to the ordering service.
const ordererAdmins = "/Channel/Orderer/Admins"

// completeSystem makes the system channel such that all channels can be
// created through it: it is made up if its configuration was not given, and
// organizations of channels that are in no consortium are added.
func (s *Shape) completeSystem(n *notes) {
	if s.SystemChannel == "" {
		s.SystemChannel = "syschannel"
		for slices.Contains(s.Channels, s.SystemChannel) {
			s.SystemChannel = "ordering-" + s.SystemChannel
		}
		first := s.groups[s.Channels[0]]
		system := proto.Clone(first).(*cb.ConfigGroup)
		delete(system.Groups, channelconfig.ApplicationGroup)
		delete(system.Values, channelconfig.ConsortiumKey)
		system.Groups[channelconfig.ConsortiumsGroup] = &cb.ConfigGroup{
			Groups: map[string]*cb.ConfigGroup{}, ModPolicy: ordererAdmins,
			Policies: map[string]*cb.ConfigPolicy{
				channelconfig.AdminsPolicyKey: {Policy: policydsl.SignaturePolicy(policydsl.AcceptAll()), ModPolicy: ordererAdmins},
			},
		}
		s.groups[s.SystemChannel] = system
		n.add("the system channel: its configuration was not given; %s is made of the Orderer group of %s", s.SystemChannel, s.Channels[0])
	}
	consortiums := s.groups[s.SystemChannel].Groups[channelconfig.ConsortiumsGroup]
	if consortiums.Groups == nil {
		consortiums.Groups = map[string]*cb.ConfigGroup{}
	}
	for _, name := range s.Channels {
		group := s.groups[name]
		consortium := consortiumOf(group)
		if group.Values == nil {
			group.Values = map[string]*cb.ConfigValue{}
		}
		if group.Values[channelconfig.ConsortiumKey] == nil { // it was not created through a system channel
			b, _ := proto.Marshal(&cb.Consortium{Name: consortium}) // cannot fail
			group.Values[channelconfig.ConsortiumKey] = &cb.ConfigValue{Value: b, ModPolicy: channelconfig.AdminsPolicyKey}
		}
		members := consortiums.Groups[consortium]
		if members == nil {
			members = newConsortium()
			consortiums.Groups[consortium] = members
			n.add("consortium %s of channel %s: the system channel has none of that name; it is added", consortium, name)
		}
		if members.Groups == nil {
			members.Groups = map[string]*cb.ConfigGroup{}
		}
		orgs := group.Groups[channelconfig.ApplicationGroup].Groups
		for _, org := range slices.Sorted(maps.Keys(orgs)) {
			if members.Groups[org] == nil {
				members.Groups[org] = proto.Clone(orgs[org]).(*cb.ConfigGroup)
				n.add("organization %s of channel %s: it is added to consortium %s, so that the channel can be created with it", org, name, consortium)
			}
		}
	}
}

// madeUpConsortium is the consortium of channels that name none.
const madeUpConsortium = "SampleConsortium"

func consortiumOf(group *cb.ConfigGroup) string {
	c := &cb.Consortium{}
	if decode(group, channelconfig.ConsortiumKey, c) != nil || c.Name == "" {
		return madeUpConsortium
	}
	return c.Name
}

// newConsortium is an empty one in which any admin may create channels.
func newConsortium() *cb.ConfigGroup {
	any := policydsl.ImplicitMetaPolicy(&cb.ImplicitMetaPolicy{SubPolicy: channelconfig.AdminsPolicyKey, Rule: cb.ImplicitMetaPolicy_ANY})
	b, _ := proto.Marshal(any) // cannot fail: it was made here
	return &cb.ConfigGroup{
		Groups: map[string]*cb.ConfigGroup{}, ModPolicy: ordererAdmins,
		Values: map[string]*cb.ConfigValue{channelconfig.ChannelCreationPolicyKey: {Value: b, ModPolicy: ordererAdmins}},
	}
}

// AtCreation returns what of a channel's configuration can be had when it is
// created through the system channel, and whether that is all of it. The
// channel's own values and policies, which MAJORITY Admins guards as a rule,
// are those of the system channel at first: before the channel has an
// Application group nobody could satisfy that policy (spec 7.3).
func AtCreation(group, system *cb.ConfigGroup) (*cb.ConfigGroup, bool) {
	first := proto.Clone(group).(*cb.ConfigGroup)
	first.ModPolicy = system.ModPolicy
	first.Policies, first.Values = map[string]*cb.ConfigPolicy{}, map[string]*cb.ConfigValue{}
	for key, p := range system.Policies {
		first.Policies[key] = proto.Clone(p).(*cb.ConfigPolicy)
	}
	for key, v := range system.Values {
		first.Values[key] = proto.Clone(v).(*cb.ConfigValue)
	}
	if c := group.Values[channelconfig.ConsortiumKey]; c != nil {
		first.Values[channelconfig.ConsortiumKey] = &cb.ConfigValue{Value: c.Value, ModPolicy: channelconfig.AdminsPolicyKey}
	}
	return first, proto.Equal(first, group)
}

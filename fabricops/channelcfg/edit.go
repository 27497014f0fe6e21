package channelcfg

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	fc "github.com/hyperledger/fabric-config/configtx"
	cb "github.com/hyperledger/fabric-protos-go/common"
)

// BuildEdited computes the update that makes v's configuration into edited,
// which was v's as JSON and back, with changes. asDecoded is v's configuration
// after the same way: a value that equals its value there was not edited and
// keeps v's bytes, since JSON and back can encode the same content otherwise.
// ErrInForce is returned where nothing was edited.
func BuildEdited(v *View, asDecoded, edited *cb.Config) (*Update, error) {
	if edited.GetChannelGroup() == nil {
		return nil, errors.New("the edited configuration has no channel group")
	}
	next, ok := proto.Clone(edited.ChannelGroup).(*cb.ConfigGroup)
	if !ok {
		return nil, errors.New("the edited configuration has no channel group")
	}
	keepBytes(next, asDecoded.GetChannelGroup(), v.Config.ChannelGroup)
	if proto.Equal(next, v.Config.ChannelGroup) {
		return nil, ErrInForce
	}
	tx := fc.New(v.Config)
	tx.UpdatedConfig().ChannelGroup = next
	b, err := tx.ComputeMarshaledUpdate(v.Channel)
	if err != nil {
		return nil, fmt.Errorf("channel %s: computing the update: %w", v.Channel, err)
	}
	return &Update{Channel: v.Channel, Base: v.Sequence(), Bytes: b}, nil
}

// keepBytes puts the bytes of original into every value and policy of next that
// is as in decoded.
func keepBytes(next, decoded, original *cb.ConfigGroup) {
	for name, value := range next.GetValues() {
		d, o := decoded.GetValues()[name], original.GetValues()[name]
		if d != nil && o != nil && value != nil && bytes.Equal(value.Value, d.Value) {
			value.Value = o.Value
		}
	}
	for name, policy := range next.GetPolicies() {
		d, o := decoded.GetPolicies()[name], original.GetPolicies()[name]
		if d != nil && o != nil && policy != nil && proto.Equal(policy.Policy, d.Policy) {
			policy.Policy = o.Policy
		}
	}
	for name, group := range next.GetGroups() {
		keepBytes(group, decoded.GetGroups()[name], original.GetGroups()[name])
	}
}

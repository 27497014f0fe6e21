// Package capabilities knows the capabilities that configurations can require
// and what each switches on (spec 7.4). It is pure.
package capabilities

import (
	"fmt"
	"maps"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go/common"
)

// Names of capabilities. Which of them exist depends on the level.
const (
	V1_1   = "V1_1"
	V1_2   = "V1_2"
	V1_3   = "V1_3"
	V1_4_2 = "V1_4_2"
	V1_4_3 = "V1_4_3"
	V2_0   = "V2_0"
	V2_5   = "V2_5"
	// The two experimental application capabilities of 1.1.
	V1_1PrivateDataExperimental   = "V1_1_PVTDATA_EXPERIMENTAL"
	V1_1ResourcesTreeExperimental = "V1_1_RESOURCETREE_EXPERIMENTAL"
)

// set is the capabilities that one level of a configuration requires.
type set struct {
	level    string
	known    []string
	required map[string]*cb.Capability
}

// Supported returns an error that names a required capability which is not
// known, the first by name.
func (s *set) Supported() error {
	for _, name := range slices.Sorted(maps.Keys(s.required)) {
		if !slices.Contains(s.known, name) {
			return fmt.Errorf("%s capability %s is required but not supported", s.level, name)
		}
	}
	return nil
}

// any reports whether at least one of the names is required. Requiring means
// being listed.
func (s *set) any(names ...string) bool {
	for _, name := range names {
		if _, ok := s.required[name]; ok {
			return true
		}
	}
	return false
}

// Channel is the capabilities of the channel level.
type Channel struct{ set }

// NewChannel returns the capabilities of a Channel group's Capabilities value.
func NewChannel(c *cb.Capabilities) *Channel {
	return &Channel{set{"Channel", []string{V1_1, V1_3, V1_4_2, V1_4_3, V2_0}, c.GetCapabilities()}}
}

// MSP1_1 reports whether MSPs follow at least the rules of 1.1.
func (c *Channel) MSP1_1() bool { return c.any(V1_1) || c.MSP1_3() }

// MSP1_3 reports whether MSPs follow at least the rules of 1.3.
func (c *Channel) MSP1_3() bool { return c.any(V1_3, V1_4_2) || c.MSP1_4_3() }

// MSP1_4_3 reports whether MSPs follow the rules of 1.4.3.
func (c *Channel) MSP1_4_3() bool { return c.any(V1_4_3, V2_0) }

// ConsensusTypeMigration reports whether the consensus type may change.
func (c *Channel) ConsensusTypeMigration() bool { return c.any(V1_4_2, V1_4_3, V2_0) }

// OrgSpecificOrdererEndpoints reports whether ordering organizations may have
// endpoints; then OrdererAddresses may be empty.
func (c *Channel) OrgSpecificOrdererEndpoints() bool { return c.any(V1_4_2, V1_4_3, V2_0) }

// Orderer is the capabilities of the orderer level.
type Orderer struct{ set }

// NewOrderer returns the capabilities of an Orderer group's Capabilities value.
func NewOrderer(c *cb.Capabilities) *Orderer {
	return &Orderer{set{"Orderer", []string{V1_1, V1_4_2, V2_0}, c.GetCapabilities()}}
}

// PredictableChannelTemplate reports whether new channels get the root
// mod_policy and zeroed versions.
func (o *Orderer) PredictableChannelTemplate() bool { return o.any(V1_1, V1_4_2, V2_0) }

// Resubmission reports whether messages that were validated under an older
// configuration are validated anew and re-submitted.
func (o *Orderer) Resubmission() bool { return o.any(V1_1, V1_4_2, V2_0) }

// ExpirationCheck reports whether expired identities are refused.
func (o *Orderer) ExpirationCheck() bool { return o.any(V1_1, V1_4_2, V2_0) }

// ConsensusTypeMigration reports whether maintenance mode and a change of the
// consensus type are possible.
func (o *Orderer) ConsensusTypeMigration() bool { return o.any(V1_4_2, V2_0) }

// UseChannelCreationPolicyAsAdmins reports whether a new channel's creation
// policy is stored as Admins.
func (o *Orderer) UseChannelCreationPolicyAsAdmins() bool { return o.any(V2_0) }

// Application is the capabilities of the application level. The orderer does
// not ask whether they are supported.
type Application struct{ set }

// NewApplication returns the capabilities of an Application group's
// Capabilities value.
func NewApplication(c *cb.Capabilities) *Application {
	return &Application{set{"Application", []string{
		V1_1, V1_2, V1_3, V1_4_2, V2_0, V2_5, V1_1PrivateDataExperimental, V1_1ResourcesTreeExperimental,
	}, c.GetCapabilities()}}
}

// ACLs reports whether access control lists may be configured.
func (a *Application) ACLs() bool { return a.any(V1_2, V1_3, V1_4_2, V2_0, V2_5) }

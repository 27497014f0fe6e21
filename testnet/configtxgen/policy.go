package configtxgen

import (
	"fmt"
	"sort"
	"strings"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/policies/policydsl"
)

const (
	readers         = "Readers"
	writers         = "Writers"
	admins          = "Admins"
	blockValidation = "BlockValidation"
	// ordererAdmins is the mod_policy of what belongs to the ordering service.
	ordererAdmins = "/Channel/Orderer/Admins"
)

// Capabilities of a configtx.yaml that names none: those of Fabric 1.4's
// sample, which are the lowest that a migration to Raft needs.
var (
	defaultChannelCapabilities     = map[string]bool{"V1_4_3": true}
	defaultOrdererCapabilities     = map[string]bool{"V1_4_2": true}
	defaultApplicationCapabilities = map[string]bool{"V1_4_2": true}
)

// groupPolicies are the defaults of /Channel, Orderer and Application.
func groupPolicies(orderer bool) map[string]*Policy {
	p := map[string]*Policy{
		readers: {Type: "ImplicitMeta", Rule: "ANY Readers"},
		writers: {Type: "ImplicitMeta", Rule: "ANY Writers"},
		admins:  {Type: "ImplicitMeta", Rule: "MAJORITY Admins"},
	}
	if orderer {
		p[blockValidation] = &Policy{Type: "ImplicitMeta", Rule: "ANY Writers"}
	}
	return p
}

// orgPolicies are the defaults of an organization.
func orgPolicies(o *Organization) map[string]*Policy {
	admin := "admin"
	if o.AdminPrincipal == "Role.MEMBER" {
		admin = "member"
	}
	rule := func(role string) *Policy {
		return &Policy{Type: "Signature", Rule: fmt.Sprintf("OR('%s.%s')", o.ID, role)}
	}
	return map[string]*Policy{readers: rule("member"), writers: rule("member"), admins: rule(admin)}
}

// addPolicies sets the policies of a group; those of defaults that given lacks
// are added and reported.
func (e *encoder) addPolicies(where string, g *cb.ConfigGroup, given, defaults map[string]*Policy) error {
	all := map[string]*Policy{}
	for name, p := range given {
		if p == nil {
			return fmt.Errorf("policy %s of %s is empty", name, where)
		}
		all[name] = p
	}
	var missing []string
	for name, p := range defaults {
		if all[name] == nil {
			all[name] = p
			missing = append(missing, fmt.Sprintf("%s = %s", name, p.Rule))
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		e.warnf(where, "no policy given, taking the default of Fabric 1.4: %s", strings.Join(missing, "; "))
	}
	for name, p := range all {
		policy, err := encodePolicy(p)
		if err != nil {
			return fmt.Errorf("policy %s of %s: %w", name, where, err)
		}
		g.Policies[name] = &cb.ConfigPolicy{Policy: policy, ModPolicy: admins}
	}
	return nil
}

func encodePolicy(p *Policy) (*cb.Policy, error) {
	switch p.Type {
	case "Signature":
		rule, err := policydsl.FromString(p.Rule)
		if err != nil {
			return nil, fmt.Errorf("invalid signature policy rule '%s': %w", p.Rule, err)
		}
		return policydsl.SignaturePolicy(rule), nil
	case "ImplicitMeta":
		rule, err := policydsl.ImplicitMetaFromString(p.Rule)
		if err != nil {
			return nil, fmt.Errorf("invalid implicit meta policy rule '%s': %w", p.Rule, err)
		}
		return policydsl.ImplicitMetaPolicy(rule), nil
	default:
		return nil, fmt.Errorf("unknown policy type: %s", p.Type)
	}
}

// capabilities returns given, or the reported defaults where none are given.
func (e *encoder) capabilities(where string, given, defaults map[string]bool) map[string]bool {
	if given != nil {
		return given
	}
	var names []string
	for n := range defaults {
		names = append(names, n)
	}
	sort.Strings(names)
	e.warnf(where, "no capabilities given, taking the default of Fabric 1.4: %s", strings.Join(names, ", "))
	return defaults
}

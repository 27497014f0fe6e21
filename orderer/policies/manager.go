package policies

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/msp"
	"raftmig/orderer/protoutil"
)

// manager holds the policies of one config group and its sub-groups' managers.
type manager struct {
	path     string // e.g. "Channel/Orderer"
	policies map[string]Policy
	managers map[string]*manager
}

// NewManager compiles all policies of group, which is known as root
// ("Channel"). Identities are looked up in msps. Errors name the policy.
func NewManager(root string, group *cb.ConfigGroup, msps msp.IdentityDeserializer) (Manager, error) {
	return newManager(root, group, msps)
}

func newManager(path string, group *cb.ConfigGroup, msps msp.IdentityDeserializer) (*manager, error) {
	m := &manager{path: path, policies: map[string]Policy{}, managers: map[string]*manager{}}
	var subGroups []*manager
	for _, name := range slices.Sorted(maps.Keys(group.GetGroups())) {
		sub, err := newManager(path+"/"+name, group.Groups[name], msps)
		if err != nil {
			return nil, err
		}
		m.managers[name] = sub
		subGroups = append(subGroups, sub)
	}
	for _, name := range slices.Sorted(maps.Keys(group.GetPolicies())) {
		definition := group.Policies[name].GetPolicy()
		if definition == nil {
			return nil, fmt.Errorf("policy %s at path %s was nil", name, path)
		}
		var p Policy
		var err error
		kind := "policy"
		switch cb.Policy_PolicyType(definition.Type) {
		case cb.Policy_SIGNATURE:
			p, err = NewSignaturePolicy(definition.Value, msps)
		case cb.Policy_IMPLICIT_META:
			kind = "implicit policy"
			p, err = newImplicitMeta(definition.Value, subGroups, msps)
		default:
			return nil, fmt.Errorf("policy %s at path %s has unknown policy type: %v", name, path, definition.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s at path %s did not compile: %w", kind, name, path, err)
		}
		m.policies[name] = p
	}
	return m, nil
}

// GetPolicy finds a policy by its absolute path below this manager's group or
// by its path relative to it, e.g. "/Channel/Orderer/Admins" or "Orderer/Admins".
func (m *manager) GetPolicy(path string) (Policy, bool) {
	relative := path
	if strings.HasPrefix(path, "/") {
		var ok bool
		if relative, ok = strings.CutPrefix(path, "/"+m.path+"/"); !ok {
			return rejectAll(path), false
		}
	}
	elements := strings.Split(relative, "/")
	name := elements[len(elements)-1]
	group := m
	for _, e := range elements[:len(elements)-1] {
		if group = group.managers[e]; group == nil {
			return rejectAll(relative), false
		}
	}
	if p, ok := group.policies[name]; ok {
		return p, true
	}
	return rejectAll(relative), false
}

// Manager returns the manager of the sub-group at path, itself for no path.
func (m *manager) Manager(path []string) (Manager, bool) {
	group := m
	for _, e := range path {
		if group = group.managers[e]; group == nil {
			return nil, false
		}
	}
	return group, true
}

// rejectAll stands for a policy that does not exist.
type rejectAll string

func (r rejectAll) EvaluateSignedData([]*protoutil.SignedData) error { return r.err() }

func (r rejectAll) EvaluateIdentities([]msp.Identity) error { return r.err() }

func (r rejectAll) err() error { return errors.New("no such policy: '" + string(r) + "'") }

package configtx

import (
	"bytes"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
)

// maxNesting bounds groups inside groups. Configurations have four levels; keys
// grow with every level, and clients choose the levels of an update.
const maxNesting = 64

// element is one group, value or policy of a configuration.
type element struct {
	group  *cb.ConfigGroup
	value  *cb.ConfigValue
	policy *cb.ConfigPolicy
	key    string
	// path holds the groups above, the root first.
	path []string
}

func (e *element) version() uint64 {
	return max(e.group.GetVersion(), e.value.GetVersion(), e.policy.GetVersion())
}

func (e *element) modPolicy() string {
	return e.group.GetModPolicy() + e.value.GetModPolicy() + e.policy.GetModPolicy()
}

// Keys of elements, as error texts and logs show them (spec 7.1).
func groupKey(path string) string  { return "[Group]  " + path }
func valueKey(path string) string  { return "[Value]  " + path }
func policyKey(path string) string { return "[Policy] " + path }

// flatten maps all elements of a configuration by key.
func flatten(root *cb.ConfigGroup, name string) (map[string]*element, error) {
	elements := map[string]*element{}
	if root == nil {
		return elements, nil
	}
	return elements, flattenGroup(elements, root, nil, "", name)
}

func flattenGroup(elements map[string]*element, g *cb.ConfigGroup, above []string, prefix, name string) error {
	if len(above) >= maxNesting {
		return fmt.Errorf("groups are nested more than %d deep", maxNesting)
	}
	if err := checkKey("[Group]  ", name); err != nil {
		return err
	}
	here := prefix + "/" + name
	elements[groupKey(here)] = &element{group: g, key: name, path: above}
	inside := append(above[:len(above):len(above)], name)
	for sub, group := range g.GetGroups() {
		if err := flattenGroup(elements, group, inside, here, sub); err != nil {
			return err
		}
	}
	for key, value := range g.GetValues() {
		if err := checkKey("[Value]  ", key); err != nil {
			return err
		}
		elements[valueKey(here+"/"+key)] = &element{value: value, key: key, path: inside}
	}
	for key, policy := range g.GetPolicies() {
		if err := checkKey("[Policy] ", key); err != nil {
			return err
		}
		elements[policyKey(here+"/"+key)] = &element{policy: policy, key: key, path: inside}
	}
	return nil
}

func checkKey(kind, key string) error {
	if err := ValidateConfigID(key); err != nil {
		return fmt.Errorf("illegal characters in key: %s: %w", kind, err)
	}
	return nil
}

// assemble is the inverse of flatten: it builds the group at path from copies
// of its elements. With fillModPolicy, elements without a mod_policy get "Admins".
func assemble(elements map[string]*element, path string, fillModPolicy bool) (*cb.ConfigGroup, error) {
	e := elements[groupKey(path)]
	if e == nil || e.group == nil {
		return nil, fmt.Errorf("missing group at path: %s", groupKey(path))
	}
	g := &cb.ConfigGroup{
		Version:          e.group.Version,
		ModPolicy:        filled(e.group.ModPolicy, fillModPolicy),
		Groups:           map[string]*cb.ConfigGroup{},
		Values:           map[string]*cb.ConfigValue{},
		Policies:         map[string]*cb.ConfigPolicy{},
		XXX_unrecognized: bytes.Clone(e.group.XXX_unrecognized),
	}
	for name := range e.group.Groups {
		sub, err := assemble(elements, path+"/"+name, fillModPolicy)
		if err != nil {
			return nil, err
		}
		g.Groups[name] = sub
	}
	for name := range e.group.Values {
		v := elements[valueKey(path+"/"+name)]
		if v == nil || v.value == nil {
			return nil, fmt.Errorf("missing value at path: %s", valueKey(path+"/"+name))
		}
		value := proto.Clone(v.value).(*cb.ConfigValue)
		value.ModPolicy = filled(value.ModPolicy, fillModPolicy)
		g.Values[name] = value
	}
	for name := range e.group.Policies {
		p := elements[policyKey(path+"/"+name)]
		if p == nil || p.policy == nil {
			return nil, fmt.Errorf("missing policy at path: %s", policyKey(path+"/"+name))
		}
		policy := proto.Clone(p.policy).(*cb.ConfigPolicy)
		policy.ModPolicy = filled(policy.ModPolicy, fillModPolicy)
		g.Policies[name] = policy
	}
	return g, nil
}

func filled(modPolicy string, fill bool) string {
	if modPolicy == "" && fill {
		return "Admins"
	}
	return modPolicy
}

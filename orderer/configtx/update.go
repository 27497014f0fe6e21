package configtx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

// authorize returns the elements of the configuration that update leads to, if
// its read set holds, its versions follow and its signatures satisfy the
// modification policies of everything it changes (spec 7.1).
func (v *validator) authorize(update *cb.ConfigUpdateEnvelope) (map[string]*element, error) {
	if update == nil {
		return nil, errors.New("cannot process nil ConfigUpdateEnvelope")
	}
	u, err := protoutil.UnmarshalConfigUpdate(update.ConfigUpdate)
	if err != nil {
		return nil, err
	}
	if u.ChannelId != v.channelID {
		return nil, fmt.Errorf("ConfigUpdate for channel '%s' but envelope for channel '%s'", u.ChannelId, v.channelID)
	}
	readSet, err := flatten(u.ReadSet, v.namespace)
	if err != nil {
		return nil, fmt.Errorf("error mapping ReadSet: %w", err)
	}
	if err := v.checkReadSet(readSet); err != nil {
		return nil, fmt.Errorf("error validating ReadSet: %w", err)
	}
	writeSet, err := flatten(u.WriteSet, v.namespace)
	if err != nil {
		return nil, fmt.Errorf("error mapping WriteSet: %w", err)
	}
	signatures, err := protoutil.ConfigUpdateAsSignedData(update)
	if err != nil {
		return nil, err
	}
	delta := deltaSet(readSet, writeSet)
	if err := v.checkDeltaSet(delta, signatures); err != nil {
		return nil, fmt.Errorf("error validating DeltaSet: %w", err)
	}
	result := maps.Clone(v.elements)
	maps.Copy(result, delta)
	// Every key of the write set is in the result now: it is in the delta, or in
	// the read set too, whose keys exist.
	return result, nil
}

func sortedKeys(elements map[string]*element) []string {
	return slices.Sorted(maps.Keys(elements))
}

func (v *validator) checkReadSet(readSet map[string]*element) error {
	for _, key := range sortedKeys(readSet) {
		existing, ok := v.elements[key]
		if !ok {
			return fmt.Errorf("existing config does not contain element for %s but was in the read set", key)
		}
		if want := readSet[key].version(); existing.version() != want {
			return fmt.Errorf("proposed update requires that key %s be at version %d, but it is currently at version %d", key, want, existing.version())
		}
	}
	return nil
}

// deltaSet is what the write set changes: keys with a version other than in
// the read set, or absent there.
func deltaSet(readSet, writeSet map[string]*element) map[string]*element {
	delta := map[string]*element{}
	for key, e := range writeSet {
		if read, ok := readSet[key]; !ok || read.version() != e.version() {
			delta[key] = e
		}
	}
	return delta
}

func (v *validator) checkDeltaSet(delta map[string]*element, signatures []*protoutil.SignedData) error {
	if len(delta) == 0 {
		return errors.New("delta set was empty -- update would have no effect")
	}
	verdicts := map[string]error{} // by policy, so that signatures are verified once for each
	for _, key := range sortedKeys(delta) {
		e := delta[key]
		if err := validateModPolicy(e.modPolicy()); err != nil {
			return fmt.Errorf("invalid mod_policy for element %s: %w", key, err)
		}
		existing, ok := v.elements[key]
		if !ok {
			// New elements are covered by the policy of the group that takes them in.
			if e.version() != 0 {
				return fmt.Errorf("attempted to set key %s to version %d, but key does not exist", key, e.version())
			}
			continue
		}
		if e.version() != existing.version()+1 {
			return fmt.Errorf("attempt to set key %s to version %d, but key is at version %d", key, e.version(), existing.version())
		}
		policy, ok := v.policyOf(existing)
		if !ok {
			return fmt.Errorf("unexpected missing policy %s for item %s", existing.modPolicy(), key)
		}
		verdict, known := verdicts[existing.policyKey()]
		if !known {
			verdict = policy.EvaluateSignedData(signatures)
			verdicts[existing.policyKey()] = verdict
		}
		if verdict != nil {
			return fmt.Errorf("policy for %s not satisfied: %w", key, verdict)
		}
	}
	return nil
}

func validateModPolicy(modPolicy string) error {
	if modPolicy == "" {
		return errors.New("mod_policy not set")
	}
	for i, e := range strings.Split(strings.TrimPrefix(modPolicy, "/"), "/") {
		if err := ValidateConfigID(e); err != nil {
			return fmt.Errorf("path element at %d is invalid: %w", i, err)
		}
	}
	return nil
}

// policyOf finds the policy that guards an element: an absolute mod_policy
// from the root; a relative one in the group that holds the element, for
// groups in the group itself (spec 7.1).
func (v *validator) policyOf(e *element) (policies.Policy, bool) {
	m := v.policies
	if e.hasRelativePolicy() {
		var ok bool
		if m, ok = m.Manager(e.policyGroup()); !ok {
			return nil, false
		}
	}
	return m.GetPolicy(e.modPolicy())
}

func (e *element) hasRelativePolicy() bool {
	return len(e.path) > 0 && e.modPolicy() != "" && !strings.HasPrefix(e.modPolicy(), "/")
}

// policyGroup is the group, as names below the root, that a relative
// mod_policy of an element starts from.
func (e *element) policyGroup() []string {
	path := e.path[1:]
	if e.group != nil {
		path = append(path[:len(path):len(path)], e.key)
	}
	return path
}

// policyKey tells the policies of elements apart.
func (e *element) policyKey() string {
	if e.hasRelativePolicy() {
		return strings.Join(e.policyGroup(), "/") + " " + e.modPolicy()
	}
	return e.modPolicy()
}

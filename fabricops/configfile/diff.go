package configfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/channelcfg"
	"raftmig/orderer/protoutil"
)

// Change is one difference between two configurations.
type Change struct {
	// Path leads to it: "Orderer.values.ConsensusType.value.state".
	Path string `json:"path"`
	// Before and After are JSON; absent for what was added or removed.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

// Diff lists what differs between two configurations, decoded to the last
// value, sorted by path. Versions and the sequence are left out: they follow
// from the rest. Elements of lists are compared as a set.
func Diff(before, after *cb.Config) ([]Change, error) {
	a, err := tree(before)
	if err != nil {
		return nil, err
	}
	b, err := tree(after)
	if err != nil {
		return nil, err
	}
	var out []Change
	compare(nil, a, b, &out)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

func tree(c *cb.Config) (any, error) {
	text, err := JSON(&cb.Config{ChannelGroup: c.GetChannelGroup()})
	if err != nil {
		return nil, err
	}
	var t struct {
		Root any `json:"channel_group"`
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("reading the configuration's JSON: %w", err)
	}
	return t.Root, nil
}

func compare(path []string, a, b any, out *[]Change) {
	if reflect.DeepEqual(a, b) {
		return
	}
	add := func(before, after any) {
		*out = append(*out, Change{Path: pathText(path), Before: before, After: after})
	}
	mapA, isMapA := a.(map[string]any)
	mapB, isMapB := b.(map[string]any)
	if isMapA && isMapB {
		for _, key := range keys(mapA, mapB) {
			if key != "version" {
				compare(append(path[:len(path):len(path)], key), mapA[key], mapB[key], out)
			}
		}
		return
	}
	listA, isListA := a.([]any)
	listB, isListB := b.([]any)
	if !isListA || !isListB {
		add(a, b)
		return
	}
	gone, come := without(listA, listB), without(listB, listA)
	if len(gone)+len(come) == 0 {
		add(a, b) // the same elements, in another order
	}
	for _, e := range gone {
		add(e, nil)
	}
	for _, e := range come {
		add(nil, e)
	}
}

// pathText leaves out the "groups" that every level of groups has.
func pathText(path []string) string {
	var parts []string
	for i, p := range path {
		if p == "groups" && i%2 == 0 {
			continue
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, ".")
}

func keys(a, b map[string]any) []string {
	var all []string
	for k := range a {
		all = append(all, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

// without returns the elements of a that b does not have.
func without(a, b []any) []any {
	var out []any
	for _, e := range a {
		if !slices.ContainsFunc(b, func(o any) bool { return reflect.DeepEqual(e, o) }) {
			out = append(out, e)
		}
	}
	return out
}

// Touched lists what an update changes, as the update itself says it: the
// elements of its write set whose version differs from the read set's, with the
// new content, and the members of groups that members came to or left. What it
// was before is not in an update.
func Touched(u *channelcfg.Update) ([]Change, error) {
	m, err := protoutil.UnmarshalConfigUpdate(u.Bytes)
	if err != nil {
		return nil, err
	}
	content, err := tree(&cb.Config{ChannelGroup: m.WriteSet})
	if err != nil {
		return nil, err
	}
	var out []Change
	touched(nil, m.ReadSet, m.WriteSet, content, &out)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

func touched(path []string, read, write *cb.ConfigGroup, content any, out *[]Change) {
	at := func(more ...string) []string { return append(path[:len(path):len(path)], more...) }
	add := func(more ...string) {
		*out = append(*out, Change{Path: pathText(at(more...)), After: field(content, more...)})
	}
	if read.GetVersion() != write.GetVersion() {
		*out = append(*out, Change{Path: pathText(at("members")), After: members(write)})
	}
	for name, v := range write.GetValues() {
		if r, ok := read.GetValues()[name]; !ok || r.GetVersion() != v.GetVersion() {
			add("values", name)
		}
	}
	for name, p := range write.GetPolicies() {
		if r, ok := read.GetPolicies()[name]; !ok || r.GetVersion() != p.GetVersion() {
			add("policies", name)
		}
	}
	for name, g := range write.GetGroups() {
		if read.GetGroups()[name] == nil {
			add("groups", name)
			continue
		}
		touched(at("groups", name), read.GetGroups()[name], g, field(content, "groups", name), out)
	}
}

// members names what a group has from now on.
func members(g *cb.ConfigGroup) []string {
	var all []string
	for name := range g.GetValues() {
		all = append(all, "values."+name)
	}
	for name := range g.GetPolicies() {
		all = append(all, "policies."+name)
	}
	for name := range g.GetGroups() {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func field(content any, path ...string) any {
	for _, p := range path {
		m, _ := content.(map[string]any)
		content = m[p]
	}
	return content
}

package localconfig

import (
	"fmt"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// value is a YAML value reduced to what a configuration needs: nothing, a
// text, a list of texts or a section. It remembers where it was written.
type value struct {
	kind   kind
	text   string
	list   []string
	fields []field
	line   int
}

type kind int

const (
	absent kind = iota
	text
	list
	section
)

type field struct {
	key   string
	line  int
	value *value
}

// find returns the field with that name in any case.
func (v *value) find(name string) *value {
	for _, f := range v.fields {
		if strings.EqualFold(f.key, name) {
			return f.value
		}
	}
	return nil
}

// maxDepth bounds the nesting, so that an alias that contains itself ends.
const maxDepth = 32

func parseTree(b []byte) (*value, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return &value{kind: section}, nil
	}
	v, err := convert(doc.Content[0], maxDepth)
	if err != nil {
		return nil, err
	}
	if v.kind == absent {
		v.kind = section
	}
	if v.kind != section {
		return nil, fmt.Errorf("line %d: the file is not a map of sections", v.line)
	}
	return v, nil
}

func convert(n *yaml.Node, depth int) (*value, error) {
	if depth == 0 {
		return nil, fmt.Errorf("line %d: nested too deep", n.Line)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return convert(n.Alias, depth-1)
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return &value{kind: absent, line: n.Line}, nil
		}
		return &value{kind: text, text: n.Value, line: n.Line}, nil
	case yaml.SequenceNode:
		v := &value{kind: list, line: n.Line, list: []string{}}
		for _, item := range n.Content {
			e, err := convert(item, depth-1)
			if err != nil {
				return nil, err
			}
			if e.kind != text {
				return nil, fmt.Errorf("line %d: an element of a list must be a text", item.Line)
			}
			v.list = append(v.list, e.text)
		}
		return v, nil
	case yaml.MappingNode:
		return convertMap(n, depth)
	}
	return nil, fmt.Errorf("line %d: unexpected YAML node", n.Line)
}

// convertMap keeps the map's own keys and adds those of merged maps ("<<")
// that it does not have itself.
func convertMap(n *yaml.Node, depth int) (*value, error) {
	v := &value{kind: section, line: n.Line}
	var merged []*value
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			m, err := convertMerge(item, depth)
			if err != nil {
				return nil, err
			}
			merged = append(merged, m...)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key must be a text", key.Line)
		}
		for _, f := range v.fields {
			if strings.EqualFold(f.key, key.Value) {
				return nil, fmt.Errorf("line %d: key %s is given twice, first on line %d", key.Line, key.Value, f.line)
			}
		}
		e, err := convert(item, depth-1)
		if err != nil {
			return nil, err
		}
		v.fields = append(v.fields, field{key: key.Value, line: key.Line, value: e})
	}
	for _, m := range merged {
		for _, f := range m.fields {
			if v.find(f.key) == nil {
				v.fields = append(v.fields, f)
			}
		}
	}
	return v, nil
}

func convertMerge(item *yaml.Node, depth int) ([]*value, error) {
	nodes := []*yaml.Node{item}
	if item.Kind == yaml.SequenceNode {
		nodes = item.Content
	}
	var result []*value
	for _, n := range nodes {
		m, err := convert(n, depth-1)
		if err != nil {
			return nil, err
		}
		if m.kind != section {
			return nil, fmt.Errorf("line %d: only a map can be merged", n.Line)
		}
		result = append(result, m)
	}
	return result, nil
}

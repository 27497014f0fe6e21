package strictyaml

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases may expand to.
const maxNodes = 1_000_000

type expander struct {
	file   string
	active map[*yaml.Node]bool // nodes being expanded, to find cycles
	nodes  int
}

// expand returns a copy of n without aliases and merge keys.
func (x *expander) expand(n *yaml.Node) (*yaml.Node, error) {
	if x.nodes++; x.nodes > maxNodes {
		return nil, &Error{File: x.file, Line: n.Line, Text: "aliases expand to too much"}
	}
	if n.Kind == yaml.AliasNode {
		return x.expand(n.Alias)
	}
	if x.active[n] {
		return nil, &Error{File: x.file, Line: n.Line, Text: fmt.Sprintf("anchor %q contains itself", n.Anchor)}
	}
	x.active[n] = true
	defer delete(x.active, n)
	switch n.Kind {
	case yaml.MappingNode:
		return x.mapping(n)
	case yaml.SequenceNode:
		out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Line: n.Line, Column: n.Column}
		for _, c := range n.Content {
			e, err := x.expand(c)
			if err != nil {
				return nil, err
			}
			out.Content = append(out.Content, e)
		}
		return out, nil
	default:
		c := *n
		c.Anchor = ""
		return &c, nil
	}
}

func (x *expander) mapping(n *yaml.Node) (*yaml.Node, error) {
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Line: n.Line, Column: n.Column}
	at := map[string]int{} // key → line
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, &Error{File: x.file, Line: key.Line, Text: "a key must be a plain word"}
		}
		if key.Tag == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if line, twice := at[key.Value]; twice {
			return nil, &Error{File: x.file, Line: key.Line, Text: fmt.Sprintf("key %q is given twice, first in line %d", key.Value, line)}
		}
		at[key.Value] = key.Line
		e, err := x.expand(value)
		if err != nil {
			return nil, err
		}
		k := *key
		k.Anchor = ""
		out.Content = append(out.Content, &k, e)
	}
	for _, m := range merges {
		if err := x.merge(out, at, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// merge adds the keys of m, a mapping or a list of them, that out does not have.
func (x *expander) merge(out *yaml.Node, at map[string]int, m *yaml.Node) error {
	e, err := x.expand(m)
	if err != nil {
		return err
	}
	switch e.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(e.Content); i += 2 {
			key := e.Content[i]
			if haveFold(at, key.Value) {
				continue
			}
			at[key.Value] = key.Line
			out.Content = append(out.Content, key, e.Content[i+1])
		}
		return nil
	case yaml.SequenceNode:
		for _, c := range e.Content {
			if c.Kind != yaml.MappingNode {
				return &Error{File: x.file, Line: m.Line, Text: "only mappings can be merged"}
			}
			if err := x.merge(out, at, c); err != nil {
				return err
			}
		}
		return nil
	default:
		if e.Tag == "!!null" {
			return nil
		}
		return &Error{File: x.file, Line: m.Line, Text: "only mappings can be merged"}
	}
}

// haveFold tells whether at has the key, whatever its case.
func haveFold(at map[string]int, key string) bool {
	if _, have := at[key]; have {
		return true
	}
	for k := range at {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}

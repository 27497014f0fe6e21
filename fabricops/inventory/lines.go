package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Fault is one thing that is wrong with an inventory.
type Fault struct {
	File string // set by Load
	Line int    // 0 if unknown
	// Field is where: "orderers[1].address".
	Field string
	What  string
	Hint  string
}

// Error is "file:line: field: what. hint".
func (f *Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ":")
		if f.Line > 0 {
			b.WriteString(strconv.Itoa(f.Line) + ":")
		}
		b.WriteString(" ")
	}
	b.WriteString(f.Field + ": " + f.What)
	if f.Hint != "" {
		b.WriteString(". " + f.Hint)
	}
	return b.String()
}

// faults collects what is wrong.
type faults []error

func (f *faults) add(field, hint, format string, args ...any) {
	*f = append(*f, &Fault{Field: field, Hint: hint, What: fmt.Sprintf(format, args...)})
}

func (f faults) err() error { return errors.Join(f...) }

// Faults returns the single faults of an error of Validate, CheckFiles or Load.
func Faults(err error) []*Fault {
	var out []*Fault
	var one *Fault
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, Faults(e)...)
		}
	} else if errors.As(err, &one) {
		out = append(out, one)
	}
	return out
}

// located puts file and line into the faults of err.
func located(path string, lines *lineIndex, err error) error {
	for _, f := range Faults(err) {
		f.File, f.Line = path, lines.of(f.Field)
	}
	return err
}

// lineIndex finds the line of a field in the YAML text.
type lineIndex struct{ root *yaml.Node }

func indexLines(data []byte) *lineIndex {
	root := &yaml.Node{}
	if yaml.Unmarshal(data, root) != nil || len(root.Content) == 0 {
		return &lineIndex{}
	}
	return &lineIndex{root: root.Content[0]}
}

// of returns the line of "orderers[1].control.kind", or of the nearest
// enclosing thing that is in the text.
func (l *lineIndex) of(field string) int {
	node := l.root
	if node == nil {
		return 0
	}
	line := node.Line
	for _, step := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if node = child(node, step); node == nil {
			return line
		}
		line = node.Line
	}
	return line
}

func child(node *yaml.Node, step string) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

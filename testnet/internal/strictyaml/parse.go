package strictyaml

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads one YAML document and returns its root with aliases and merge
// keys expanded, or nil if the document is empty. name is used in errors, which
// are of type *Error.
func Parse(name string, data []byte) (*yaml.Node, error) {
	root, err := parse(name, data)
	if err != nil || root == nil {
		return nil, err
	}
	x := expander{file: name, active: map[*yaml.Node]bool{}}
	return x.expand(root)
}

func parse(name string, data []byte) (*yaml.Node, error) {
	doc, err := decodeDocument(data)
	if err == nil {
		return doc, nil
	}
	if strings.Contains(err.Error(), "unknown anchor") {
		if sorted, lines, ok := anchorsFirst(data); ok {
			if doc, again := decodeDocument(sorted); again == nil {
				renumber(doc, lines, map[*yaml.Node]bool{})
				return doc, nil
			}
		}
	}
	return nil, parseError(name, data, err)
}

func decodeDocument(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	var more yaml.Node
	if err := dec.Decode(&more); err == nil {
		return nil, errors.New("line " + strconv.Itoa(max(more.Line, 1)) + ": a second document in the file")
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

var (
	lineInError  = regexp.MustCompile(`^line (\d+): `)
	anchorInText = regexp.MustCompile(`unknown anchor '([^']*)'`)
)

func parseError(name string, data []byte, err error) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := lineInError.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		return &Error{File: name, Line: line, Text: text[len(m[0]):]}
	}
	if m := anchorInText.FindStringSubmatch(text); m != nil {
		return &Error{File: name, Line: lineOf(data, "*"+m[1]), Text: text}
	}
	return &Error{File: name, Text: text}
}

func lineOf(data []byte, text string) int {
	i := bytes.Index(data, []byte(text))
	if i < 0 {
		return 0
	}
	return 1 + bytes.Count(data[:i], []byte("\n"))
}

func renumber(n *yaml.Node, lines []int, seen map[*yaml.Node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	if n.Line > 0 && n.Line <= len(lines) {
		n.Line = lines[n.Line-1]
	}
	for _, c := range n.Content {
		renumber(c, lines, seen)
	}
	renumber(n.Alias, lines, seen)
}

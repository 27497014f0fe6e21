package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Lookup returns an override for the value at path (keys from the root,
// e.g. ["Orderer", "BatchTimeout"]), ok false if there is none. Overrides are
// asked for scalars and lists of scalars only.
type Lookup func(path []string) (value string, ok bool)

// Lines tells the line of each value of a file by its path, joined with dots.
type Lines map[string]int

// Decode parses data and stores it in out, a pointer to a struct whose fields
// carry `yaml:"Name"` tags. All mistakes but syntax errors are collected; the
// error returned is the first in the order of the file. override may be nil.
// The lines serve errors that are found later.
func Decode(name string, data []byte, out any, override Lookup) (Lines, error) {
	root, err := Parse(name, data)
	if err != nil {
		return nil, err
	}
	d := decoder{file: name, override: override, lines: Lines{}}
	v := reflect.ValueOf(out).Elem()
	d.value(root, v, nil)
	if d.first != nil {
		return nil, d.first
	}
	return d.lines, nil
}

type decoder struct {
	file     string
	override Lookup
	first    *Error
	lines    Lines
}

func (d *decoder) fail(n *yaml.Node, path []string, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(path) > 0 {
		text = strings.Join(path, ".") + ": " + text
	}
	line := 0
	if n != nil {
		line = n.Line
	}
	if d.first == nil || (line != 0 && line < d.first.Line) {
		d.first = &Error{File: d.file, Line: line, Text: text}
	}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isScalar tells whether values of t are written as one YAML scalar.
func isScalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(textType) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer:
		return false
	default:
		return true
	}
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path []string) {
	scalar := isScalar(v.Type())
	scalarList := !scalar && v.Kind() == reflect.Slice && isScalar(v.Type().Elem())
	if d.override != nil && (scalar || scalarList) {
		if text, ok := d.override(path); ok {
			n = overrideNode(text, scalarList, n)
		}
	}
	if n != nil {
		d.lines[strings.Join(path, ".")] = n.Line
	}
	null := n == nil || (n.Kind == yaml.ScalarNode && n.Tag == "!!null")
	switch {
	case scalar:
		if !null {
			d.scalar(n, v, path)
		}
	case v.Kind() == reflect.Pointer:
		if null && !d.overridden(v.Type().Elem(), path) {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path, null)
	case null:
	case v.Kind() == reflect.Map:
		d.mapping(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path)
	}
}

// overridden tells whether some field of the absent struct t has an override.
func (d *decoder) overridden(t reflect.Type, path []string) bool {
	if d.override == nil || t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if isScalar(f.Type) {
			if _, ok := d.override(sub(path, fieldName(f))); ok {
				return true
			}
		}
	}
	return false
}

func overrideNode(text string, list bool, old *yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if old != nil {
		n.Line = old.Line
	}
	if !list {
		return n
	}
	seq := &yaml.Node{Kind: yaml.SequenceNode, Line: n.Line}
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]")
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			seq.Content = append(seq.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: item, Line: n.Line})
		}
	}
	return seq
}

func fieldName(f reflect.StructField) string {
	if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
		return name
	}
	return f.Name
}

func sub(path []string, key string) []string {
	return append(append(make([]string, 0, len(path)+1), path...), key)
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path []string, null bool) {
	given := map[string]*yaml.Node{} // lower-case key → value
	if !null {
		if n.Kind != yaml.MappingNode {
			d.fail(n, path, "expected keys and values here")
			return
		}
		known := map[string]bool{}
		for i := range v.NumField() {
			known[strings.ToLower(fieldName(v.Type().Field(i)))] = true
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			low := strings.ToLower(key.Value)
			if !known[low] {
				d.fail(key, path, "unknown key %q", key.Value)
				continue
			}
			if given[low] != nil {
				d.fail(key, path, "key %q is given twice", key.Value)
				continue
			}
			given[low] = n.Content[i+1]
		}
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := fieldName(f)
		d.value(given[strings.ToLower(name)], v.Field(i), sub(path, name))
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path []string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "expected keys and values here")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], e, sub(path, n.Content[i].Value))
		v.SetMapIndex(reflect.ValueOf(n.Content[i].Value), e)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path []string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "expected a list here")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		if c.Kind == yaml.ScalarNode && c.Tag == "!!null" {
			d.fail(c, path, "entry %d of the list is empty", i+1)
			continue
		}
		saved := d.override
		d.override = nil
		d.value(c, v.Index(i), sub(path, strconv.Itoa(i)))
		d.override = saved
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path []string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "expected a single value here")
		return
	}
	if err := setScalar(v, n.Value); err != nil {
		d.fail(n, path, "%v", err)
	}
}

func setScalar(v reflect.Value, text string) error {
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(text))
	}
	if v.Type() == durationType {
		dur, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 2s or 500ms", text)
		}
		v.SetInt(int64(dur))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a number that fits", text)
		}
		v.SetInt(i)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a positive number that fits", text)
		}
		v.SetUint(i)
	default:
		return fmt.Errorf("cannot hold %q", text)
	}
	return nil
}

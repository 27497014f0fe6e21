package localconfig

import (
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// decoder puts a tree and the environment into a struct.
type decoder struct {
	env   map[string]string // by name, empty values left out
	errs  []error
	notes []Note
}

func newDecoder(environ []string) *decoder {
	d := &decoder{env: map[string]string{}}
	for _, e := range environ {
		if name, v, ok := strings.Cut(e, "="); ok && v != "" {
			d.env[name] = v
		}
	}
	return d
}

// lookup returns the variable for a key's path, e.g. General.TLS.Enabled.
func (d *decoder) lookup(path string) (string, bool) {
	v, ok := d.env["ORDERER_"+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))]
	return v, ok
}

func (d *decoder) fail(v *value, path, format string, args ...any) {
	where := ""
	if v != nil && v.line > 0 {
		where = fmt.Sprintf("line %d: ", v.line)
	}
	d.errs = append(d.errs, fmt.Errorf("%s%s: %w", where, path, fmt.Errorf(format, args...)))
}

// section decodes the keys of v into the fields of the struct rv.
func (d *decoder) section(rv reflect.Value, v *value, path string, open bool) {
	t := rv.Type()
	known := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		tag := f.Tag.Get("config")
		name := f.Name
		if n, ok := f.Tag.Lookup("name"); ok {
			name = n
		}
		known[strings.ToLower(name)] = true
		child := v.find(name)
		if child == nil {
			if open {
				continue
			}
			child = &value{}
		}
		d.field(rv.Field(i), child, join(path, name), open || tag == "open")
	}
	for _, f := range v.fields {
		switch full := join(path, f.key); {
		case known[strings.ToLower(f.key)]:
		case open:
			d.notes = append(d.notes, Note{true, fmt.Sprintf("line %d: key %s is not known and has no effect", f.line, full)})
		case formerKeys[strings.ToLower(full)]:
			d.former(full, f)
		default:
			d.errs = append(d.errs, fmt.Errorf("line %d: unknown key %s", f.line, full))
		}
	}
}

// formerKeys are keys of Fabric 1.4 that later versions dropped (spec 8.2).
var formerKeys = map[string]bool{
	"general.genesisprofile": true, "general.systemchannel": true, "general.ledgertype": true, "ramledger": true,
}

func (d *decoder) former(path string, f field) {
	if strings.EqualFold(path, "General.LedgerType") && f.value.kind == text && f.value.text != "file" {
		d.fail(f.value, path, "ledger type %q is not supported, only file is", f.value.text)
		return
	}
	d.notes = append(d.notes, Note{true, fmt.Sprintf("line %d: key %s is of Fabric 1.4 and has no effect", f.line, path)})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

var durationType = reflect.TypeFor[time.Duration]()

// field decodes v, or the variable that overrides it, into rv.
func (d *decoder) field(rv reflect.Value, v *value, path string, open bool) {
	if s, ok := d.lookup(path); ok {
		v = &value{kind: text, text: s}
	}
	if rv.Kind() == reflect.Struct {
		if v.kind != section && v.kind != absent {
			d.fail(v, path, "must be a section with keys of its own")
			return
		}
		d.section(rv, v, path, open)
		return
	}
	if v.kind == absent || v.kind == section {
		name, isFile, err := d.fileName(v, path)
		switch {
		case err != nil:
			d.fail(v, path, "%w", err)
			return
		case isFile:
			d.fromFile(rv, v, path, name)
			return
		case v.kind == absent:
			return
		}
		d.fail(v, path, "must be a value, not a section")
		return
	}
	if rv.Kind() == reflect.Slice {
		rv.Set(reflect.ValueOf(asList(v)))
		return
	}
	if v.kind == list {
		d.fail(v, path, "must be a single value, not a list")
		return
	}
	if err := setScalar(rv, v.text); err != nil {
		d.fail(v, path, "%w", err)
	}
}

// fileName returns the path in {File: path} or in the variable for it.
func (d *decoder) fileName(v *value, path string) (name string, isFile bool, err error) {
	if s, ok := d.lookup(path + ".File"); ok {
		return s, true, nil
	}
	f := v.find("File")
	if f == nil {
		return "", false, nil
	}
	if f.kind != text || f.text == "" {
		return "", false, errors.New("Value of File: was nil") //nolint:staticcheck // Fabric's text
	}
	return f.text, true, nil
}

func (d *decoder) fromFile(rv reflect.Value, v *value, path, name string) {
	b, err := os.ReadFile(name)
	if err != nil {
		d.fail(v, path, "%w", err)
		return
	}
	switch rv.Kind() {
	case reflect.Slice:
		rv.Set(reflect.ValueOf(certificates(b)))
	case reflect.String:
		rv.SetString(string(b))
	default:
		d.fail(v, path, "cannot be read from a file")
	}
}

// certificates returns the PEM certificates in b, each on its own.
func certificates(b []byte) []string {
	result := []string{}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return result
		}
		if block.Type == "CERTIFICATE" && len(block.Headers) == 0 {
			result = append(result, string(pem.EncodeToMemory(block)))
		}
	}
}

func asList(v *value) []string {
	if v.kind == list {
		return v.list
	}
	s := v.text
	if len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' {
		s = strings.TrimSpace(s[1 : len(s)-1])
		if s == "" {
			return []string{}
		}
		parts := strings.Split(s, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return parts
	}
	if s == "" {
		return []string{}
	}
	return []string{s}
}

func setScalar(rv reflect.Value, s string) error {
	if rv.Type() == durationType {
		if s == "" {
			s = "0"
		}
		v, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 10s or 5m", s)
		}
		rv.SetInt(int64(v))
		return nil
	}
	if s == "" && rv.Kind() != reflect.String {
		return nil
	}
	switch rv.Kind() {
	case reflect.String:
		rv.SetString(s)
	case reflect.Bool:
		v, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		rv.SetBool(v)
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		v, err := strconv.ParseInt(s, 0, rv.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a number of this key's range", s)
		}
		rv.SetInt(v)
	case reflect.Uint32:
		v, err := parseSize(s)
		if err != nil {
			return err
		}
		rv.SetUint(v)
	case reflect.Uint16:
		v, err := strconv.ParseUint(s, 0, 16)
		if err != nil {
			return fmt.Errorf("%q is not a number from 0 to 65535", s)
		}
		rv.SetUint(v)
	default:
		return fmt.Errorf("cannot be set to %q", s)
	}
	return nil
}

var sizePattern = regexp.MustCompile(`(?i)^([0-9]+)\s*([kmg])b?$`)

// parseSize reads a number of bytes such as 1048576, 512 KB, 10 MB or 1g.
func parseSize(s string) (uint64, error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		v, err := strconv.ParseUint(s, 0, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is not a size such as 512 KB or 10 MB", s)
		}
		return v, nil
	}
	shift := map[string]uint{"k": 10, "m": 20, "g": 30}[strings.ToLower(m[2])]
	v, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil || v > math.MaxUint32>>shift {
		return 0, fmt.Errorf("value '%s' overflows uint32", s)
	}
	return v << shift, nil
}

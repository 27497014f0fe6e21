package localconfig

import (
	"fmt"
	"reflect"
	"strings"
)

// Redacted stands for a secret in Flatten.
const Redacted = "[redacted]"

// Flatten returns "Key = value" for every key, in the order of the file, as
// Fabric prints them at start. Secrets are replaced by Redacted.
func (c *TopLevel) Flatten() []string {
	return flatten(nil, "", reflect.ValueOf(c).Elem(), false)
}

func flatten(lines []string, path string, v reflect.Value, secret bool) []string {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name := join(path, f.Name)
		fv := v.Field(i)
		if name == "Consensus" {
			lines = append(lines, fmt.Sprintf("%s = %s", name, consensusMap(fv)))
			continue
		}
		if name == "General.BCCSP.PKCS11" && fv.IsZero() {
			continue
		}
		hidden := f.Tag.Get("config") == "secret"
		if fv.Kind() == reflect.Struct {
			lines = flatten(lines, name, fv, hidden)
			continue
		}
		isKey := hidden || secret && f.Name == "PrivateKey"
		lines = append(lines, fmt.Sprintf("%s = %s", name, formatValue(fv, isKey)))
	}
	return lines
}

func formatValue(v reflect.Value, secret bool) string {
	switch {
	case v.Kind() == reflect.String && secret && v.Len() > 0:
		return Redacted
	case v.Type() == reflect.TypeFor[Version]():
		return v.String()
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprintf("%v", v.Interface())
}

// consensusMap prints the set keys of an open section in alphabetical order.
func consensusMap(v reflect.Value) string {
	c := v.Interface().(Consensus)
	var parts []string
	if c.AcknowledgeAt != "" {
		parts = append(parts, "AcknowledgeAt:"+c.AcknowledgeAt)
	}
	if c.EvictionSuspicion != 0 {
		parts = append(parts, fmt.Sprintf("EvictionSuspicion:%v", c.EvictionSuspicion))
	}
	if c.SnapDir != "" {
		parts = append(parts, "SnapDir:"+c.SnapDir)
	}
	if c.TickIntervalOverride != 0 {
		parts = append(parts, fmt.Sprintf("TickIntervalOverride:%v", c.TickIntervalOverride))
	}
	if c.WALDir != "" {
		parts = append(parts, "WALDir:"+c.WALDir)
	}
	return "map[" + strings.Join(parts, " ") + "]"
}

// Package strictyaml reads the YAML files that people write for Fabric:
// crypto-config.yaml and configtx.yaml.
//
// It is strict where a mistake would change a network silently: unknown keys,
// keys given twice and values of the wrong type are errors that name file and
// line. It is generous where Fabric's own tools are or were: keys match
// whatever their case, merge keys and aliases work, and an alias may stand
// before the section that holds its anchor (the configtx.yaml of Fabric 1.0
// starts with the profiles).
package strictyaml

import "fmt"

// Error is a mistake in a file.
type Error struct {
	File string
	Line int // 1 for the first line; 0 if unknown
	Text string
}

// Error returns "file:line: text".
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

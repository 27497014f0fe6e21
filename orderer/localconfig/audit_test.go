package localconfig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
)

// leaf is a key of orderer.yaml with a value that is not its default.
type leaf struct{ path, value string }

// variable is the name of the variable that overrides the key.
func (l leaf) variable() string {
	return "ORDERER_" + strings.ToUpper(strings.ReplaceAll(l.path, ".", "_"))
}

// oneOf are the keys whose value must be one of a few.
var oneOf = map[string]string{
	"General.BCCSP.Default": "SW", "General.BootstrapMethod": "none", "General.GenesisMethod": "none", "Kafka.Version": "1.0.0",
	"General.BCCSP.SW.Hash": "SHA2", "General.BCCSP.SW.Security": "256", "FileLedger.Location": "/ledgers",
	"Consensus.AcknowledgeAt": AcknowledgeAtCommit,
}

// leaves lists every key of a section.
func leaves(rt reflect.Type, path string) (all []leaf) {
	for i := range rt.NumField() {
		f := rt.Field(i)
		if !f.IsExported() {
			continue
		}
		name := f.Name
		if n, ok := f.Tag.Lookup("name"); ok {
			name = n
		}
		full := join(path, name)
		n := 1000 + len(full) + 7*i // distinct enough
		switch {
		case oneOf[full] != "":
			all = append(all, leaf{full, oneOf[full]})
		case f.Type == durationType:
			all = append(all, leaf{full, fmt.Sprintf("%dms", n)})
		case f.Type.Kind() == reflect.Struct:
			all = append(all, leaves(f.Type, full)...)
		case f.Type.Kind() == reflect.Slice:
			all = append(all, leaf{full, "[/abs/" + full + ", rel/" + full + "]"})
		case f.Type.Kind() == reflect.Bool:
			all = append(all, leaf{full, "true"})
		case f.Type.Kind() == reflect.String:
			all = append(all, leaf{full, "rel/" + full})
		case f.Type.Kind() == reflect.Uint32:
			all = append(all, leaf{full, fmt.Sprintf("%d KB", n)})
		default:
			all = append(all, leaf{full, fmt.Sprint(n)})
		}
	}
	return all
}

// file writes keys as YAML, with or without their values.
func file(keys []leaf, values bool) string {
	var b strings.Builder
	var open []string
	for _, l := range keys {
		parts := strings.Split(l.path, ".")
		for i, part := range parts {
			indent := strings.Repeat("  ", i)
			switch {
			case i == len(parts)-1 && values:
				fmt.Fprintf(&b, "%s%s: %s\n", indent, part, l.value)
			case i == len(parts)-1:
				fmt.Fprintf(&b, "%s%s:\n", indent, part)
			case i >= len(open) || open[i] != part:
				fmt.Fprintf(&b, "%s%s:\n", indent, part)
				open = append(open[:i:i], part)
			}
		}
		open = open[:min(len(open), len(parts)-1)]
	}
	return b.String()
}

func allKeys() []leaf { return leaves(reflect.TypeFor[TopLevel](), "") }

// Every key of spec 8.2 means the same whether it is in the file or in its
// variable.
func TestEveryKeyIsReadFromTheFileAndFromItsVariable(t *testing.T) {
	keys := allKeys()
	require.Greater(t, len(keys), 90)
	fromFile, err := parse(t, file(keys, true))
	require.NoError(t, err)
	var env []string
	for _, l := range keys {
		env = append(env, l.variable()+"="+l.value)
	}
	fromVariables, err := parse(t, file(keys, false), env...)
	require.NoError(t, err)
	fromFile.notes, fromVariables.notes = nil, nil
	require.Equal(t, fromFile, fromVariables)
	for i, rv := 0, reflect.ValueOf(*fromFile); i < rv.NumField()-1; i++ { // not the notes
		requireSet(t, rv.Field(i), rv.Type().Field(i).Name)
	}
}

func requireSet(t *testing.T, rv reflect.Value, path string) {
	if rv.Kind() != reflect.Struct {
		require.False(t, rv.IsZero(), path)
		return
	}
	for i := range rv.NumField() {
		requireSet(t, rv.Field(i), join(path, rv.Type().Field(i).Name))
	}
}

var valueLine = regexp.MustCompile(`(?m)^\t([A-Z][A-Za-z0-9.]+ =.*)$`)

// printedBy runs a real orderer, which prints its configuration and then fails
// because it has no MSP.
func printedBy(t *testing.T, binary, dir, yaml string, env []string) []string {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte(yaml), 0o600))
	cmd := exec.Command(binary)
	cmd.Env = append([]string{"FABRIC_CFG_PATH=" + dir, "PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "it must not start")
	var lines []string
	for _, m := range valueLine.FindAllStringSubmatch(string(out), -1) {
		lines = append(lines, m[1])
	}
	require.Greater(t, len(lines), 80, string(out))
	return lines
}

// differing are lines that a real orderer prints otherwise, on purpose: it shows
// secrets and, of what is not set, an empty path as the folder of the file and
// no size of a join request; durations in Consensus as they are written. Of
// BCCSP only SW with its defaults works here.
var differing = regexp.MustCompile(`^(General\.BCCSP.*|Kafka\.TLS\.PrivateKey|Kafka\.SASLPlain\.Password|Consensus|` +
	`General\.TLS\.(PrivateKey|Certificate)|ChannelParticipation\.MaxRequestBodySize) =`)

// What a real orderer prints as its configuration is what we read: every key
// in the file, every key as a variable, and nothing but what must be there.
func TestInteropARealOrdererReadsTheSameConfiguration(t *testing.T) {
	fabrictest.Since(t, 2, 5, "the keys are those of 2.5")
	orderer := fabrictest.Bin(t, "orderer")
	sample, err := os.ReadFile("testdata/sample.yaml")
	require.NoError(t, err)
	keys := allKeys()
	var env []string
	for _, l := range keys {
		env = append(env, l.variable()+"="+l.value)
	}
	for name, tc := range map[string]struct {
		yaml string
		env  []string
	}{
		"the sample file":         {yaml: string(sample)},
		"every key":               {yaml: file(keys, true)},
		"every key as a variable": {yaml: file(keys, false), env: env},
		"the least":               {yaml: minimal},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			theirs := printedBy(t, orderer, dir, tc.yaml, tc.env)
			c, err := Parse(filepath.Join(dir, FileName), []byte(tc.yaml), tc.env)
			require.NoError(t, err)
			ours := c.Flatten()
			if tc.yaml != string(sample) {
				theirs, ours = slices.DeleteFunc(theirs, differing.MatchString), slices.DeleteFunc(ours, differing.MatchString)
			}
			require.Equal(t, theirs, ours)
		})
	}
}

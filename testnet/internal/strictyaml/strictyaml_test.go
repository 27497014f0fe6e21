package strictyaml

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func decode(name string, data []byte, out any, override Lookup) error {
	_, err := Decode(name, data, out, override)
	return err
}

type inner struct {
	Size    uint32        `yaml:"Size"`
	Timeout time.Duration `yaml:"Timeout"`
	List    []string      `yaml:"List"`
}

type outer struct {
	Name  string            `yaml:"Name"`
	Inner *inner            `yaml:"Inner"`
	Many  map[string]*inner `yaml:"Many"`
	On    bool              `yaml:"On"`
}

func TestDecodeReadsMergesAliasesAndAnyCase(t *testing.T) {
	var o outer
	require.NoError(t, decode("f.yaml", []byte(`
inner: &I
  size: 7
  Timeout: 2s
  List: [a, b]
Many:
  one:
    <<: *I
    Size: 8
  two: *I
ON: True
`), &o, nil))
	require.True(t, o.On)
	require.Equal(t, uint32(7), o.Inner.Size)
	require.Equal(t, &inner{Size: 8, Timeout: 2 * time.Second, List: []string{"a", "b"}}, o.Many["one"])
	require.Equal(t, uint32(7), o.Many["two"].Size)
}

func TestAliasesMayStandBeforeTheSectionOfTheirAnchor(t *testing.T) {
	var o outer
	require.NoError(t, decode("f.yaml", []byte("# c\nMany:\n  one: *I\n  two: {<<: *I, Size: 9}\nInner: &I\n  Size: 7\n"), &o, nil))
	require.Equal(t, uint32(7), o.Many["one"].Size)
	require.Equal(t, uint32(9), o.Many["two"].Size)

	err := decode("f.yaml", []byte("Many:\n  one: *I\nBad: 1\nInner: &I\n  Size: 7\n"), &o, nil)
	require.EqualError(t, err, `f.yaml:3: unknown key "Bad"`)
}

func TestMistakesNameFileAndLine(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":          {"Name: a\nInner:\n  Sizes: 1\n", `f.yaml:3: Inner: unknown key "Sizes"`},
		"key given twice":      {"Name: a\nName: b\n", `f.yaml:2: key "Name" is given twice, first in line 1`},
		"twice in other case":  {"Name: a\nname: b\n", `f.yaml:2: key "name" is given twice`},
		"not a number":         {"Inner:\n  Size: many\n", `f.yaml:2: Inner.Size: "many" is not a positive number that fits`},
		"too big":              {"Inner:\n  Size: 4294967296\n", `f.yaml:2: Inner.Size: "4294967296" is not a positive number that fits`},
		"not a duration":       {"Inner: {Timeout: 2 parsecs}\n", `f.yaml:1: Inner.Timeout: "2 parsecs" is not a duration such as 2s or 500ms`},
		"not a list":           {"Inner:\n  List: a\n", `f.yaml:2: Inner.List: expected a list here`},
		"not a mapping":        {"Inner: [1]\n", `f.yaml:1: Inner: expected keys and values here`},
		"neither true nor not": {"On: perhaps\n", `f.yaml:1: On: "perhaps" is neither true nor false`},
		"no such anchor":       {"Name: a\nInner: *Nowhere\n", `f.yaml:2: unknown anchor 'Nowhere' referenced`},
		"second document":      {"Name: a\n---\nName: b\n", `f.yaml:2: a second document in the file`},
		"merge of a word":      {"Inner:\n  <<: word\n", `f.yaml:2: only mappings can be merged`},
	} {
		t.Run(name, func(t *testing.T) {
			var o outer
			require.EqualError(t, decode("f.yaml", []byte(tc.text), &o, nil), tc.want)
		})
	}
}

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	var o outer
	err := decode("f.yaml", []byte("Name: a\nInner:\n\tSize: 1\n"), &o, nil)
	var e *Error
	require.True(t, errors.As(err, &e))
	require.Positive(t, e.Line)
}

func TestAliasBombsAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		p, n := string(rune('0'+i-1)), string(rune('0'+i))
		b.WriteString("a" + n + ": &a" + n + " [" + strings.TrimSuffix(strings.Repeat("*a"+p+",", 10), ",") + "]\n")
	}
	_, err := Parse("f.yaml", []byte(b.String()))
	require.ErrorContains(t, err, "aliases expand to too much")
}

func TestOverridesReplaceScalarsAndLists(t *testing.T) {
	env := map[string]string{"INNER_SIZE": "5", "INNER_LIST": "[x, y]", "MANY_ONE_TIMEOUT": "3s"}
	var o outer
	require.NoError(t, decode("f.yaml", []byte("Many: {one: {Size: 1}}\n"), &o, func(path []string) (string, bool) {
		v, ok := env[strings.ToUpper(strings.Join(path, "_"))]
		return v, ok
	}))
	require.Equal(t, &inner{Size: 5, List: []string{"x", "y"}}, o.Inner)
	require.Equal(t, &inner{Size: 1, Timeout: 3 * time.Second}, o.Many["one"])
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("Inner: &I {Size: 1}\nMany: {a: *I, b: {<<: *I}}\n"))
	f.Add([]byte("Many: {a: *I}\nInner: &I {Size: 1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o outer
		_ = decode("f.yaml", data, &o, nil)
	})
}

func TestLinesAreKnownByPath(t *testing.T) {
	var o outer
	lines, err := Decode("f.yaml", []byte("Inner: &I\n  Size: 7\nMany:\n  one:\n    <<: *I\n    Timeout: 1s\n"), &o, nil)
	require.NoError(t, err)
	require.Equal(t, 2, lines["Many.one.Size"])
	require.Equal(t, 6, lines["Many.one.Timeout"])
}

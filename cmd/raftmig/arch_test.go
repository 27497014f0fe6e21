package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rooms and who may import whom (design: "Rooms and who may import whom").
// A rule names a package prefix of ours and the prefixes that it may import;
// the longest matching prefix counts. Test files are not looked at.
var mayImport = map[string][]string{
	"cmd/raftmig": {"tui", "runbook", "fabricops", "testnet", "orderer/server", "orderer/localconfig", "orderer/flogging"},
	"tui":         {"runbook", "tui"},
	"runbook":     {"runbook"},
	"fabricops":   append([]string{"runbook", "fabricops"}, pureEngine...),
	"testnet":     append([]string{"testnet", "fabricops", "runbook", "orderer/localconfig"}, pureEngine...),
	"orderer":     {"orderer"},
}

// pureEngine are the engine's libraries that other rooms may use.
var pureEngine = []string{
	"orderer/protoutil", "orderer/capabilities", "orderer/msp", "orderer/policies",
	"orderer/configtx", "orderer/channelconfig", "orderer/raftmetadata",
}

// layers of the engine: a package never imports one of a higher layer. The
// longest matching prefix counts.
var layers = map[string]int{
	"orderer/protoutil":          0,
	"orderer/fabrictest":         0,
	"orderer/capabilities":       0,
	"orderer/metrics":            0,
	"orderer/localconfig":        0,
	"orderer/flogging":           0,
	"orderer/types":              0,
	"orderer/filerepo":           0,
	"orderer/msp":                1,
	"orderer/policies":           1,
	"orderer/configtx":           2,
	"orderer/channelconfig":      2,
	"orderer/raftmetadata":       2,
	"orderer/blockcutter":        3,
	"orderer/msgprocessor":       3,
	"orderer/blockledger":        3,
	"orderer/comm":               3,
	"orderer/consensus":          4,
	"orderer/consensus/inactive": 4,
	"orderer/cluster":            4,
	"orderer/consensus/kafka":    5,
	"orderer/consensus/etcdraft": 5,
	"orderer/consensus/solo":     5,
	"orderer/onboarding":         5,
	"orderer/follower":           5,
	"orderer/broadcast":          5,
	"orderer/deliver":            5,
	"orderer/multichannel":       6,
	"orderer/operations":         7,
	"orderer/server":             7,

	"orderer/channelparticipation": 7,
}

// forbiddenImports of packages that are declared pure.
var forbiddenImports = map[string]bool{
	"os": true, "os/exec": true, "net": true, "net/http": true, "math/rand": true, "math/rand/v2": true,
	"syscall": true, "google.golang.org/grpc": true,
}

// pure packages: no clock, no disk, no network, no chance. Listed with
// everything below them, except the prefixes in impure.
var pure = []string{
	"runbook", "tui/present", "testnet/clone",
	"orderer/protoutil", "orderer/capabilities", "orderer/msp", "orderer/policies", "orderer/configtx",
	"orderer/channelconfig", "orderer/raftmetadata", "orderer/blockcutter", "orderer/msgprocessor",
}

var impure = []string{"testnet/clone/source", "runbook/internal/feed", "runbook/journal", "runbook/driver", "runbook/remote", "orderer/msp/mspdir"}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func loadPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "raftmig/...")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	require.NoError(t, err)
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		pkgs = append(pkgs, p)
	}
	require.NotEmpty(t, pkgs)
	return pkgs
}

func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// longest returns the longest key of rules that path lies under.
func longest[V any](rules map[string]V, path string) (string, bool) {
	best, found := "", false
	for prefix := range rules {
		if under(path, prefix) && (!found || len(prefix) > len(best)) {
			best, found = prefix, true
		}
	}
	return best, found
}

func ours(importPath string) (string, bool) { return strings.CutPrefix(importPath, "raftmig/") }

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	for _, p := range loadPackages(t) {
		path, _ := ours(p.ImportPath)
		rule, ok := longest(mayImport, path)
		require.True(t, ok, "package %s belongs to no room", path)
		for _, imp := range p.Imports {
			dep, isOurs := ours(imp)
			if !isOurs || under(dep, path) {
				continue
			}
			allowed := false
			for _, prefix := range mayImport[rule] {
				allowed = allowed || under(dep, prefix)
			}
			if !allowed {
				t.Errorf("%s may not import %s", path, dep)
			}
		}
	}
}

func TestEngineLayersImportDownwards(t *testing.T) {
	for _, p := range loadPackages(t) {
		path, _ := ours(p.ImportPath)
		if !under(path, "orderer") {
			continue
		}
		from, ok := longest(layers, path)
		require.True(t, ok, "package %s has no layer", path)
		for _, imp := range p.Imports {
			dep, isOurs := ours(imp)
			if !isOurs {
				continue
			}
			to, ok := longest(layers, dep)
			require.True(t, ok, "package %s has no layer", dep)
			if layers[to] > layers[from] {
				t.Errorf("%s (L%d) may not import %s (L%d)", path, layers[from], dep, layers[to])
			}
		}
	}
}

func isPure(path string) bool {
	for _, prefix := range impure {
		if under(path, prefix) {
			return false
		}
	}
	for _, prefix := range pure {
		if under(path, prefix) {
			return true
		}
	}
	return false
}

func TestPurePackagesHaveNoClockDiskNetworkOrChance(t *testing.T) {
	for _, p := range loadPackages(t) {
		path, _ := ours(p.ImportPath)
		if !isPure(path) {
			continue
		}
		for _, imp := range p.Imports {
			if forbiddenImports[imp] {
				t.Errorf("%s is declared pure and imports %s", path, imp)
			}
		}
		for _, file := range p.GoFiles {
			for _, call := range impureCalls(t, filepath.Join(p.Dir, file)) {
				t.Errorf("%s is declared pure: %s", path, call)
			}
		}
	}
}

// impureCalls finds uses of the clock and go statements in a file.
func impureCalls(t *testing.T, file string) []string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	clock := map[string]bool{"Now": true, "Sleep": true, "After": true, "AfterFunc": true, "NewTimer": true, "NewTicker": true, "Tick": true, "Since": true, "Until": true}
	var found []string
	report := func(n ast.Node, what string) {
		pos := fset.Position(n.Pos())
		found = append(found, filepath.Base(pos.Filename)+":"+strconv.Itoa(pos.Line)+" "+what)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && clock[n.Sel.Name] {
				report(n, "uses time."+n.Sel.Name)
			}
		}
		return true
	})
	sort.Strings(found)
	return found
}

// Sizes that are looked at twice become defects here (house style).
func TestFilesAndFunctionsStayReadable(t *testing.T) {
	const maxFile, maxFunc = 600, 120
	for _, p := range loadPackages(t) {
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			if lines := fset.Position(f.End()).Line; lines > maxFile {
				t.Errorf("%s/%s has %d lines, more than %d", p.ImportPath, name, lines, maxFile)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				if lines := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line; lines > maxFunc {
					t.Errorf("%s/%s: %s has %d lines, more than %d", p.ImportPath, name, fn.Name.Name, lines, maxFunc)
				}
			}
		}
	}
}

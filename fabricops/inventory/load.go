package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"raftmig/fabricops/internal/durable"
)

// FileName is the usual name of an inventory file.
const FileName = "raftmig.yaml"

// Load reads an inventory, resolves its relative paths, and checks it: what it
// says (Validate) and the files it names (CheckFiles). Unknown and repeated
// keys are errors. Every error names file and line where there is one.
func Load(path string) (*Network, error) {
	n, lines, err := read(path)
	if err != nil {
		return nil, err
	}
	if err := located(path, lines, n.Validate()); err != nil {
		return nil, err
	}
	if err := located(path, lines, n.CheckFiles()); err != nil {
		return nil, err
	}
	return n, nil
}

// Read is Load without looking at the files that the inventory names.
func Read(path string) (*Network, error) {
	n, lines, err := read(path)
	if err != nil {
		return nil, err
	}
	return n, located(path, lines, n.Validate())
}

func read(path string) (*Network, *lineIndex, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the inventory: %w", err)
	}
	n := &Network{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(n); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil, fmt.Errorf("%s is empty", path)
		}
		return nil, nil, fmt.Errorf("%s: %s", path, yamlText(err))
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%s: more than one YAML document", path)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	n.eachPath(func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	})
	return n, indexLines(data), nil
}

// yamlText makes yaml's messages readable: without Go type names.
func yamlText(err error) string {
	var t *yaml.TypeError
	if !errors.As(err, &t) {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	lines := make([]string, len(t.Errors))
	for i, l := range t.Errors {
		l = strings.ReplaceAll(l, "not found in type inventory.", "is unknown in ")
		lines[i] = strings.ReplaceAll(l, "into inventory.", "into ")
	}
	return strings.Join(lines, "; ")
}

// Save writes the inventory. Paths inside the file's folder are written
// relative to it, so that the folder can be moved. The file is replaced at
// once or not at all.
func Save(path string, n *Network) error {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c, err := n.clone()
	if err != nil {
		return err
	}
	c.eachPath(func(p *string) {
		if rel, err := filepath.Rel(dir, *p); err == nil && filepath.IsAbs(*p) && filepath.IsLocal(rel) {
			*p = rel
		}
	})
	data, err := marshal(c)
	if err != nil {
		return err
	}
	return durable.Replace(path, data, 0o644)
}

func (n *Network) clone() (*Network, error) {
	data, err := marshal(n)
	if err != nil {
		return nil, err
	}
	c := &Network{}
	if err := yaml.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("copying the inventory: %w", err)
	}
	return c, nil
}

func marshal(n *Network) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(n), enc.Close()); err != nil {
		return nil, fmt.Errorf("encoding the inventory: %w", err)
	}
	return b.Bytes(), nil
}

// eachPath calls f on every path of the inventory. The program of a command
// counts as a path if it has a slash; otherwise it is searched in PATH.
func (n *Network) eachPath(f func(*string)) {
	process := func(p *Process) {
		f(&p.Log)
		each(p.Data, f)
		f(&p.Control.Dir)
		f(&p.Control.PIDFile)
		for _, argv := range [][]string{p.Control.Command, p.Control.Start, p.Control.Stop, p.Control.Status} {
			if len(argv) > 0 && strings.ContainsRune(argv[0], '/') {
				f(&argv[0])
			}
		}
	}
	identity := func(id *Identity) {
		f(&id.MSPDir)
		f(&id.TLSCert)
		f(&id.TLSKey)
	}
	for i := range n.Orderers {
		o := &n.Orderers[i]
		process(&o.Process)
		each(o.TLSRootCAs, f)
		for _, p := range []*string{&o.ServerCert, &o.ClientCert, &o.ServerKey, &o.ClientKey, &o.BootstrapFile, &o.LedgerDir, &o.WALDir, &o.SnapDir} {
			f(p)
		}
	}
	if k := n.Kafka; k != nil {
		each(k.TLS.RootCAs, f)
		for _, p := range []*string{&k.TLS.Cert, &k.TLS.Key, &k.SASL.PasswordFile} {
			f(p)
		}
	}
	for i := range n.Brokers {
		process(&n.Brokers[i])
	}
	for i := range n.ZooKeeper {
		process(&n.ZooKeeper[i])
	}
	identity(&n.Admin)
	for i := range n.Admins {
		identity(&n.Admins[i])
	}
	for name, id := range n.Clients {
		identity(&id)
		n.Clients[name] = id
	}
	f(&n.Backup.Dir)
}

func each(list []string, f func(*string)) {
	for i := range list {
		f(&list[i])
	}
}

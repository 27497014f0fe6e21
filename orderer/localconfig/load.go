package localconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// FileName is the name of the configuration file; orderer.yml is found too.
const FileName = "orderer.yaml"

// Load reads the configuration. environ has the form of os.Environ; it holds
// the overrides and, where dir is empty, FABRIC_CFG_PATH. Where that is unset or
// has no such file, the file is looked for in the working directory and in
// /etc/hyperledger/fabric, as Fabric does; in the second case a note says so.
func Load(dir string, environ []string) (*TopLevel, error) {
	path, note, err := find(dir, environ)
	if err != nil {
		return nil, fmt.Errorf("Error reading configuration: %w", err) //nolint:staticcheck // Fabric's text
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("Error reading configuration: %w", err) //nolint:staticcheck // Fabric's text
	}
	c, err := Parse(path, b, environ)
	if err == nil && note != "" {
		c.notes = append([]Note{{true, note}}, c.notes...)
	}
	return c, err
}

// Refusal is an error of a configuration that can be read but must not be
// started with (spec 8.3).
type Refusal struct{ Err error }

// Error implements error.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns what is wrong.
func (r *Refusal) Unwrap() error { return r.Err }

func find(dir string, environ []string) (path, note string, err error) {
	dirs := []string{dir}
	if dir == "" {
		dirs = []string{".", "/etc/hyperledger/fabric"}
		for _, e := range environ {
			if v, ok := strings.CutPrefix(e, "FABRIC_CFG_PATH="); ok && v != "" {
				dir = v
			}
		}
		if dir != "" {
			dirs = append([]string{dir}, dirs...)
		}
	}
	for i, d := range dirs {
		for _, name := range []string{FileName, "orderer.yml"} {
			path := filepath.Join(d, name)
			if info, err := os.Stat(path); err != nil || info.IsDir() {
				continue
			}
			if i > 0 && dir != "" {
				note = fmt.Sprintf("there is no %s in FABRIC_CFG_PATH (%s), using %s", FileName, dir, path)
			}
			return path, note, nil
		}
	}
	return "", "", fmt.Errorf("no %s in %s", FileName, strings.Join(dirs, ", "))
}

// Parse reads the configuration from b. path is the file that b came from: it
// is named in errors, and its folder is where relative paths start.
func Parse(path string, b []byte, environ []string) (*TopLevel, error) {
	tree, err := parseTree(b)
	if err != nil {
		return nil, fmt.Errorf("Error reading configuration: %s: %w", path, err) //nolint:staticcheck // Fabric's text
	}
	d := newDecoder(environ)
	c := &TopLevel{}
	c.General.BCCSP = defaultBCCSP()
	d.section(reflect.ValueOf(c).Elem(), tree, "", false)
	if err := errors.Join(d.errs...); err != nil {
		return nil, fmt.Errorf("Error unmarshalling config into struct: %s: %w", path, err) //nolint:staticcheck // Fabric's text
	}
	c.notes = d.notes
	c.setDefaults()
	if err := c.validate(); err != nil {
		return nil, &Refusal{err}
	}
	c.resolvePaths(filepath.Dir(path))
	return c, nil
}

// resolvePaths makes the paths that spec 8.1 lists relative to dir.
func (c *TopLevel) resolvePaths(dir string) {
	abs := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	g := &c.General
	for _, p := range []*string{
		&g.TLS.PrivateKey, &g.TLS.Certificate, &g.Cluster.ClientPrivateKey, &g.Cluster.ClientCertificate,
		&g.BootstrapFile, &g.LocalMSPDir, &c.FileLedger.Location,
	} {
		abs(p)
	}
	for _, paths := range [][]string{g.TLS.RootCAs, g.TLS.ClientRootCAs, g.Cluster.RootCAs} {
		for i := range paths {
			abs(&paths[i])
		}
	}
}

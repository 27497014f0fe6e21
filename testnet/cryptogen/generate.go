package cryptogen

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// Options are the surroundings of a run; zero values take the real ones.
type Options struct {
	Now  func() time.Time
	Rand io.Reader
	// Made is told each organization's domain once it is complete.
	Made func(domain string)
}

func (o Options) issuer() issuer {
	is := issuer{now: o.Now, rand: o.Rand}
	if is.now == nil {
		is.now = time.Now
	}
	if is.rand == nil {
		is.rand = rand.Reader
	}
	return is
}

// ErrExists is returned where material would have to be overwritten.
var ErrExists = errors.New("it exists already")

// Generate makes the key material of all organizations of c below dir. It
// changes nothing if c cannot be carried out or one of them exists.
func Generate(c *Config, dir string, o Options) error {
	orgs, err := render(c)
	if err != nil {
		return err
	}
	for _, g := range orgs {
		where := filepath.Join(dir, g.kind.orgs, g.domain)
		if _, err := os.Lstat(where); err == nil {
			return fmt.Errorf("%s: %w; nothing was changed", where, ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking for existing material: %w", err)
		}
	}
	for _, g := range orgs {
		if err := generateOrg(g, dir, o); err != nil {
			return fmt.Errorf("organization %s: %w", g.domain, err)
		}
	}
	return nil
}

// Extend adds to dir what c describes and dir lacks: organizations, nodes,
// users. Existing material stays as it is.
func Extend(c *Config, dir string, o Options) error {
	orgs, err := render(c)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("there is nothing to extend: %w", err)
	}
	for _, g := range orgs {
		where := filepath.Join(dir, g.kind.orgs, g.domain)
		if _, err := os.Stat(where); errors.Is(err, fs.ErrNotExist) {
			err = generateOrg(g, dir, o)
			if err != nil {
				return fmt.Errorf("organization %s: %w", g.domain, err)
			}
			continue
		}
		if err := extendOrg(g, where, o); err != nil {
			return fmt.Errorf("organization %s: %w", g.domain, err)
		}
	}
	return nil
}

// generateOrg builds the organization beside its place and then moves it there.
func generateOrg(g *org, dir string, o Options) (err error) {
	is := o.issuer()
	parent := filepath.Join(dir, g.kind.orgs)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(parent, ".partial-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	if err := os.Chmod(partial, 0o755); err != nil {
		return err
	}
	sign, err := is.newCA(g.domain, g.ca.CommonName, g.ca)
	if err != nil {
		return err
	}
	tls, err := is.newCA(g.domain, "tls"+g.ca.CommonName, g.ca)
	if err != nil {
		return err
	}
	t := tree{root: partial}
	if err := t.authority("ca", sign); err != nil {
		return err
	}
	if err := t.authority("tlsca", tls); err != nil {
		return err
	}
	w := writer{tree: t, issuer: is, sign: sign, tls: tls, nodeOUs: g.nodeOUs}
	for _, u := range g.users {
		cert, err := w.leaf("users", u, nil)
		if err != nil {
			return err
		}
		if u.role == roleAdmin {
			w.admin, w.adminName = cert, u.commonName
		}
	}
	if err := t.msp("msp", sign, tls, g.nodeOUs, w.adminName, w.admin); err != nil {
		return err
	}
	if err := t.mkdir(g.kind.nodes); err != nil {
		return err
	}
	for _, n := range g.nodes {
		if _, err := w.leaf(g.kind.nodes, n, w.admin); err != nil {
			return err
		}
	}
	if err := os.Rename(partial, filepath.Join(parent, g.domain)); err != nil {
		return err
	}
	if o.Made != nil {
		o.Made(g.domain)
	}
	return nil
}

func extendOrg(g *org, where string, o Options) error {
	sign, err := loadCA(filepath.Join(where, "ca"), g.ca)
	if err != nil {
		return err
	}
	tls, err := loadCA(filepath.Join(where, "tlsca"), g.ca)
	if err != nil {
		return err
	}
	w := writer{tree: tree{root: where}, issuer: o.issuer(), sign: sign, tls: tls, nodeOUs: g.nodeOUs, adminName: g.admin()}
	if !g.nodeOUs {
		data, err := os.ReadFile(filepath.Join(where, "users", g.admin(), "msp", "signcerts", certFile(g.admin())))
		if err != nil {
			return fmt.Errorf("reading the admin's certificate: %w", err)
		}
		if w.admin, err = parseCert(data); err != nil {
			return fmt.Errorf("the admin's certificate: %w", err)
		}
	}
	add := func(dir string, leaves []leaf, admin *x509.Certificate) error {
		for _, l := range leaves {
			if _, err := os.Lstat(filepath.Join(where, dir, l.commonName)); err == nil || l.role == roleAdmin {
				continue
			}
			if _, err := w.leaf(dir, l, admin); err != nil {
				return err
			}
		}
		return nil
	}
	if err := add(g.kind.nodes, g.nodes, w.admin); err != nil {
		return err
	}
	return add("users", g.users, nil)
}

// writer makes the nodes and users of one organization.
type writer struct {
	tree
	issuer    issuer
	sign, tls *ca
	nodeOUs   bool
	adminName string
	admin     *x509.Certificate
}

// leaf writes the folder of a node or user below dir. Without NodeOUs, admin
// goes into its admincerts; if admin is nil, its own certificate does.
func (w *writer) leaf(dir string, l leaf, admin *x509.Certificate) (*x509.Certificate, error) {
	base := path.Join(dir, l.commonName)
	var unit role
	if w.nodeOUs {
		unit = l.role
	}
	cert, key, err := w.issuer.identity(w.sign, l.commonName, unit)
	if err != nil {
		return nil, err
	}
	adminName := w.adminName
	if admin == nil {
		admin, adminName = cert, l.commonName
	}
	mspDir := path.Join(base, "msp")
	if err := w.msp(mspDir, w.sign, w.tls, w.nodeOUs, adminName, admin); err != nil {
		return nil, err
	}
	if err := w.cert(path.Join(mspDir, "signcerts", certFile(l.commonName)), cert); err != nil {
		return nil, err
	}
	if err := w.key(path.Join(mspDir, "keystore", "priv_sk"), key); err != nil {
		return nil, err
	}
	tlsCert, tlsKey, err := w.issuer.tls(w.tls, l.commonName, l.sans)
	if err != nil {
		return nil, err
	}
	name := "server"
	if l.role.isUser() {
		name = "client"
	}
	tlsDir := path.Join(base, "tls")
	if err := w.cert(path.Join(tlsDir, "ca.crt"), w.tls.cert); err != nil {
		return nil, err
	}
	if err := w.cert(path.Join(tlsDir, name+".crt"), tlsCert); err != nil {
		return nil, err
	}
	return cert, w.key(path.Join(tlsDir, name+".key"), tlsKey)
}

// loadCA reads the folder of a CA and checks that key and certificate match.
func loadCA(dir string, spec NodeSpec) (*ca, error) {
	certs, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil || len(certs) != 1 {
		return nil, fmt.Errorf("%s: expected one certificate (*.pem), found %d", dir, len(certs))
	}
	keys, err := filepath.Glob(filepath.Join(dir, "*_sk"))
	if err != nil || len(keys) != 1 {
		return nil, fmt.Errorf("%s: expected one private key (*_sk), found %d", dir, len(keys))
	}
	data, err := os.ReadFile(certs[0])
	if err != nil {
		return nil, err
	}
	cert, err := parseCert(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certs[0], err)
	}
	if data, err = os.ReadFile(keys[0]); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: it is not PEM", keys[0])
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keys[0], err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to %s", keys[0], certs[0])
	}
	return &ca{name: cert.Subject.CommonName, spec: spec, cert: cert, key: key}, nil
}

func parseCert(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it is not a PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

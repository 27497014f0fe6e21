package cryptogen

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// tree collects the files of an organization below a folder.
type tree struct {
	root string
}

func (t tree) mkdir(dir string) error {
	return os.MkdirAll(filepath.Join(t.root, filepath.FromSlash(dir)), 0o755)
}

// write creates a file that does not exist yet.
func (t tree) write(name string, data []byte, mode os.FileMode) error {
	if err := t.mkdir(path.Dir(name)); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(t.root, filepath.FromSlash(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func (t tree) cert(name string, c *x509.Certificate) error {
	return t.write(name, certPEM(c), 0o644)
}

func (t tree) key(name string, k *ecdsa.PrivateKey) error {
	data, err := keyPEM(k)
	if err != nil {
		return err
	}
	return t.write(name, data, 0o600)
}

// authority writes the folder of a CA.
func (t tree) authority(dir string, c *ca) error {
	if err := t.cert(path.Join(dir, certFile(c.name)), c.cert); err != nil {
		return err
	}
	return t.key(path.Join(dir, "priv_sk"), c.key)
}

// msp writes what every MSP folder has. admin, if not nil, goes to admincerts
// under the name adminName.
func (t tree) msp(dir string, sign, tls *ca, nodeOUs bool, adminName string, admin *x509.Certificate) error {
	if err := t.mkdir(path.Join(dir, "admincerts")); err != nil {
		return err
	}
	if err := t.cert(path.Join(dir, "cacerts", certFile(sign.name)), sign.cert); err != nil {
		return err
	}
	if err := t.cert(path.Join(dir, "tlscacerts", certFile(tls.name)), tls.cert); err != nil {
		return err
	}
	if nodeOUs {
		return t.write(path.Join(dir, "config.yaml"), mspConfig(sign.name), 0o644)
	}
	if admin == nil {
		return nil
	}
	return t.cert(path.Join(dir, "admincerts", certFile(adminName)), admin)
}

func certFile(commonName string) string { return commonName + "-cert.pem" }

func mspConfig(caName string) []byte {
	out := "NodeOUs:\n  Enable: true\n"
	for _, u := range []struct {
		key  string
		role role
	}{{"Client", roleClient}, {"Peer", rolePeer}, {"Admin", roleAdmin}, {"Orderer", roleOrderer}} {
		out += fmt.Sprintf("  %sOUIdentifier:\n    Certificate: cacerts/%s\n    OrganizationalUnitIdentifier: %s\n", u.key, certFile(caName), u.role)
	}
	return []byte(out)
}

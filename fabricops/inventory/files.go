package inventory

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"github.com/golang/protobuf/proto"

	"raftmig/orderer/msp/mspdir"
)

// CheckFiles checks the certificates, keys and MSP folders that the inventory
// names: that they are there, that they parse, that keys fit certificates, and
// that no two nodes share a certificate. Ledger, WAL, log and data folders need
// not exist yet; the preflight checks look at those.
func (n *Network) CheckFiles() error {
	var f faults
	owners := map[string]string{}
	for i := range n.Orderers {
		o := &n.Orderers[i]
		at := fmt.Sprintf("orderers[%d]", i)
		for j, file := range o.TLSRootCAs {
			if _, err := ReadCertificates(file); err != nil {
				f.add(fmt.Sprintf("%s.tlsRootCAs[%d]", at, j), "Name the PEM file of the CA that issued the node's TLS certificate", "%v", err)
			}
		}
		checkNodeCerts(&f, owners, at, o)
	}
	if n.Kafka != nil {
		n.Kafka.checkFiles(&f)
	}
	for i, at := range n.adminFields() {
		checkIdentity(&f, at, &n.Administrators()[i])
	}
	for _, name := range sortedKeys(n.Clients) {
		id := n.Clients[name]
		checkIdentity(&f, "clients."+name, &id)
	}
	return f.err()
}

func checkNodeCerts(f *faults, owners map[string]string, at string, o *Orderer) {
	mine := map[string]bool{}
	for _, c := range []struct{ field, file string }{{"serverCert", o.ServerCert}, {"clientCert", o.ClientCert}} {
		if c.file == "" {
			continue
		}
		field := at + "." + c.field
		certs, err := ReadCertificates(c.file)
		if err != nil {
			f.add(field, "Name the node's cluster TLS certificate, not its key and not its enrolment certificate", "%v", err)
			continue
		}
		leaf := certs[0]
		if leaf.IsCA {
			f.add(field, "Name the node's own certificate", "%s holds a CA certificate (%s)", c.file, leaf.Subject)
		}
		key := string(leaf.Raw)
		if owner, ok := owners[key]; ok && !mine[key] {
			f.add(field, "Every consenter needs its own certificate", "%s has the certificate that is also that of %s", c.file, owner)
		}
		owners[key], mine[key] = field, true
	}
}

func checkIdentity(f *faults, at string, id *Identity) {
	signer, err := mspdir.LoadSigner(id.MSPDir, id.MSPID)
	if err != nil {
		f.add(at+".mspDir", "The folder needs one certificate in signcerts and its key in keystore", "%v", err)
	} else if serialized, err := signer.Serialize(); err == nil {
		if err := chains(id.MSPDir, serialized); err != nil {
			f.add(at+".mspDir", "Take the MSP folder of one user as the CA issued it", "%v", err)
		}
	}
	if id.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(id.TLSCert, id.TLSKey); err != nil {
			f.add(at+".tlsCert", "tlsCert and tlsKey must be a certificate and its own key", "%v", err)
		}
	}
}

// chains returns an error if the identity was issued by none of the CAs in its
// own MSP folder.
func chains(dir string, serialized []byte) error {
	sid := &mspproto.SerializedIdentity{}
	if err := proto.Unmarshal(serialized, sid); err != nil {
		return fmt.Errorf("decoding the identity of %s: %w", dir, err)
	}
	cert, err := parse(sid.IdBytes)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	found := false
	for _, sub := range []string{"cacerts", "intermediatecerts"} {
		files, err := os.ReadDir(filepath.Join(dir, sub))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("reading the CA certificates: %w", err)
		}
		for _, file := range files {
			cas, err := ReadCertificates(filepath.Join(dir, sub, file.Name()))
			if err != nil {
				continue // MSP folders may hold other files
			}
			found = true
			for _, ca := range cas {
				if cert[0].CheckSignatureFrom(ca) == nil {
					return nil
				}
			}
		}
	}
	if !found {
		return fmt.Errorf("%s has no CA certificate in cacerts", dir)
	}
	return fmt.Errorf("the certificate of %s (%s) was not issued by a CA in that folder's cacerts", dir, cert[0].Subject)
}

// ReadCertificates reads the certificates of a PEM file; there is at least one.
func ReadCertificates(file string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	certs, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return certs, nil
}

func parse(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("bad certificate: %w", err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("no PEM certificate in it")
	}
	return certs, nil
}

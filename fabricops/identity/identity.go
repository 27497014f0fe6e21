// Package identity loads the identities that raftmig acts with: the signer of
// an MSP folder and the TLS client certificate that goes with it.
package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/msp"
	"raftmig/orderer/msp/mspdir"
	"raftmig/runbook"
)

// Identity signs as one member of an organization. It implements
// protoutil.Signer.
type Identity struct {
	msp.SigningIdentity
	// Cert is the signing certificate.
	Cert *x509.Certificate
	// TLS is the client certificate for nodes that demand one; nil for none.
	TLS *tls.Certificate
}

// Load reads an identity from its files.
func Load(id inventory.Identity) (*Identity, error) {
	signer, err := mspdir.LoadSigner(id.MSPDir, id.MSPID)
	if err != nil {
		return nil, fmt.Errorf("identity of %s: %w", id.MSPID, err)
	}
	out := &Identity{SigningIdentity: signer}
	if out.Cert, err = certificate(signer); err != nil {
		return nil, fmt.Errorf("identity of %s in %s: %w", id.MSPID, id.MSPDir, err)
	}
	if id.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(id.TLSCert, id.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("TLS client certificate %s with key %s: %w", id.TLSCert, id.TLSKey, err)
		}
		out.TLS = &pair
	}
	return out, nil
}

func certificate(id msp.Identity) (*x509.Certificate, error) {
	serialized, err := id.Serialize()
	if err != nil {
		return nil, err
	}
	sid := &mspproto.SerializedIdentity{}
	if err := proto.Unmarshal(serialized, sid); err != nil {
		return nil, fmt.Errorf("decoding the identity: %w", err)
	}
	block, _ := pem.Decode(sid.IdBytes)
	if block == nil {
		return nil, errors.New("the signing certificate is not PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// Facts describes the identity at the time now.
func (i *Identity) Facts(now time.Time) runbook.IdentityFacts {
	f := runbook.IdentityFacts{MSPID: i.MSPID(), Subject: i.Cert.Subject.String(), NotAfter: i.Cert.NotAfter}
	switch {
	case !now.Before(i.Cert.NotAfter):
		f.Error = fmt.Sprintf("its certificate expired on %s", i.Cert.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(i.Cert.NotBefore):
		f.Error = fmt.Sprintf("its certificate is not valid before %s; is the clock right?", i.Cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return f
}

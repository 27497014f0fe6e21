package msp

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// TypeFabric is the MSPConfig.Type of X.509 MSPs, the only one supported.
const TypeFabric = 0

// fabricMSP is an X.509 MSP. All but the cache is fixed once New returns.
type fabricMSP struct {
	version Version
	id      string
	hashes  hashes

	trust         *trust
	roots         []*x509.Certificate
	intermediates []*x509.Certificate
	// lowS leads from the DER form of a CA as configured to its low-S form.
	lowS map[string]*x509.Certificate
	// inner holds the DER form of the CAs that have CAs below them; those
	// cannot issue identities.
	inner map[string]bool
	crls  []*revocationList

	admins  []*identity
	ous     map[string][][]byte // accepted CA chains by organizational unit
	nodeOUs nodeOUs

	tlsRoots, tlsIntermediates [][]byte

	cache *identityCache
}

// New sets up the MSP that conf describes under the rules of version. Its
// certificates may be expired; everything else about them must be in order.
func New(version Version, conf *mspproto.MSPConfig) (MSP, error) {
	if version < V1_0 || version > V1_4_3 {
		return nil, fmt.Errorf("Invalid MSP version [%v]", version)
	}
	if conf == nil {
		return nil, errors.New("Setup error: nil conf reference")
	}
	if conf.Type != TypeFabric {
		return nil, fmt.Errorf("Setup error: unsupported msp type %d", conf.Type)
	}
	fc := &mspproto.FabricMSPConfig{}
	if err := proto.Unmarshal(conf.Config, fc); err != nil {
		return nil, fmt.Errorf("failed unmarshalling fabric msp config: %w", err)
	}
	m := &fabricMSP{version: version, id: fc.Name, cache: newIdentityCache(cacheSize)}
	for _, step := range []func(*mspproto.FabricMSPConfig) error{
		m.setupHashes,
		m.setupCAs,
		m.setupCRLs,
		m.checkCAs,
		m.setupTLSCAs,
		m.setupOUs,
		m.setupNodeOUs,
		m.setupAdmins,
	} {
		if err := step(fc); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// ID is the MSP identifier.
func (m *fabricMSP) ID() string { return m.id }

// TLSRootCerts returns the PEM blocks of the TLS root CAs.
func (m *fabricMSP) TLSRootCerts() [][]byte { return m.tlsRoots }

// TLSIntermediateCerts returns the PEM blocks of the TLS intermediate CAs.
func (m *fabricMSP) TLSIntermediateCerts() [][]byte { return m.tlsIntermediates }

// DeserializeIdentity decodes an identity of this MSP. Certificates that are
// signed with ECDSA must lead to one of the MSP's CAs, because their low-S form
// depends on the issuer's curve.
func (m *fabricMSP) DeserializeIdentity(serialized []byte) (Identity, error) {
	if id, ok := m.cache.get(serialized); ok {
		return id, nil
	}
	sid := &mspproto.SerializedIdentity{}
	if err := proto.Unmarshal(serialized, sid); err != nil {
		return nil, fmt.Errorf("could not deserialize a SerializedIdentity: %w", err)
	}
	if sid.Mspid != m.id {
		return nil, fmt.Errorf("expected MSP ID %s, received %s", m.id, sid.Mspid)
	}
	id, err := m.newIdentity(sid.IdBytes)
	if err != nil {
		return nil, err
	}
	return m.cache.add(serialized, id), nil
}

func (m *fabricMSP) setupHashes(conf *mspproto.FabricMSPConfig) error {
	var err error
	m.hashes, err = newHashes(conf.CryptoConfig)
	return err
}

func (m *fabricMSP) setupCAs(conf *mspproto.FabricMSPConfig) error {
	if len(conf.RootCerts) == 0 {
		return errors.New("expected at least one CA certificate")
	}
	roots, err := parseCAs("root", conf.RootCerts)
	if err != nil {
		return err
	}
	intermediates, err := parseCAs("intermediate", conf.IntermediateCerts)
	if err != nil {
		return err
	}
	asGiven := newTrust(roots, intermediates)
	m.lowS = map[string]*x509.Certificate{}
	if m.roots, err = m.normalizeCAs(asGiven, "root", roots); err != nil {
		return err
	}
	if m.intermediates, err = m.normalizeCAs(asGiven, "intermediate", intermediates); err != nil {
		return err
	}
	m.trust = newTrust(m.roots, m.intermediates)
	return nil
}

func parseCAs(kind string, pems [][]byte) ([]*x509.Certificate, error) {
	certs := make([]*x509.Certificate, len(pems))
	for i, b := range pems {
		cert, err := parseCertPEM(b)
		if err != nil {
			return nil, fmt.Errorf("%s CA certificate %d: %w", kind, i, err)
		}
		certs[i] = cert
	}
	return certs, nil
}

func (m *fabricMSP) normalizeCAs(t *trust, kind string, certs []*x509.Certificate) ([]*x509.Certificate, error) {
	out := make([]*x509.Certificate, len(certs))
	for i, c := range certs {
		if err := checkPublicKey(c); err != nil {
			return nil, fmt.Errorf("%s CA certificate %d: %w", kind, i, err)
		}
		var err error
		if out[i], _, err = t.normalize(c); err != nil {
			return nil, fmt.Errorf("%s CA certificate %d: %w", kind, i, err)
		}
		m.lowS[string(c.Raw)] = out[i]
	}
	return out, nil
}

func (m *fabricMSP) setupCRLs(conf *mspproto.FabricMSPConfig) error {
	for _, b := range conf.RevocationList {
		crl, err := parseCRL(b)
		if err != nil {
			return err
		}
		m.crls = append(m.crls, crl)
	}
	return nil
}

func (m *fabricMSP) checkCAs(*mspproto.FabricMSPConfig) error {
	for _, c := range append(append([]*x509.Certificate{}, m.roots...), m.intermediates...) {
		if err := m.checkCA(m.trust, c); err != nil {
			return err
		}
	}
	m.inner = map[string]bool{}
	for _, c := range m.intermediates {
		chain, err := m.trust.chain(c)
		if err != nil {
			return fmt.Errorf("failed getting validation chain, (SN: %s): %w", c.SerialNumber, err)
		}
		for _, parent := range chain[1:] {
			m.inner[string(parent.Raw)] = true
		}
	}
	return nil
}

func (m *fabricMSP) setupTLSCAs(conf *mspproto.FabricMSPConfig) error {
	roots, err := parseCAs("TLS root", conf.TlsRootCerts)
	if err != nil {
		return err
	}
	intermediates, err := parseCAs("TLS intermediate", conf.TlsIntermediateCerts)
	if err != nil {
		return err
	}
	t := newTrust(roots, intermediates)
	for _, c := range append(roots, intermediates...) {
		if err := m.checkCA(t, c); err != nil {
			return err
		}
	}
	m.tlsRoots, m.tlsIntermediates = conf.TlsRootCerts, conf.TlsIntermediateCerts
	return nil
}

func (m *fabricMSP) checkCA(t *trust, cert *x509.Certificate) error {
	if !cert.IsCA {
		return fmt.Errorf("CA Certificate did not have the CA attribute, (SN: %x)", cert.SerialNumber)
	}
	if _, err := subjectKeyID(cert); err != nil {
		return fmt.Errorf("CA Certificate problem with Subject Key Identifier extension, (SN: %x): %w", cert.SerialNumber, err)
	}
	chain, err := t.chain(cert)
	if err != nil {
		return fmt.Errorf("CA Certificate is not valid, (SN: %s): could not obtain certification chain: %w", cert.SerialNumber, err)
	}
	if len(chain) == 1 {
		return nil
	}
	if err := checkRevocation(m.crls, cert, chain[1]); err != nil {
		return fmt.Errorf("CA Certificate is not valid, (SN: %s): %w", cert.SerialNumber, err)
	}
	return nil
}

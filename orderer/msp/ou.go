package msp

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// nodeOUs says which organizational unit makes an identity a client, a peer,
// an admin or an orderer.
type nodeOUs struct {
	enabled                      bool
	client, peer, admin, orderer *ouRule
}

// ouRule is an organizational unit; with a certifier, only below that CA.
type ouRule struct {
	unit      string
	certifier []byte // hash of the CA chain, or empty
}

func (m *fabricMSP) setupOUs(conf *mspproto.FabricMSPConfig) error {
	m.ous = map[string][][]byte{}
	for _, ou := range conf.OrganizationalUnitIdentifiers {
		certifier, err := m.certifier(ou.Certificate)
		if err != nil {
			return fmt.Errorf("failed getting certificate for organizational unit %s: %w", ou.OrganizationalUnitIdentifier, err)
		}
		unit := ou.OrganizationalUnitIdentifier
		m.ous[unit] = append(m.ous[unit], certifier)
	}
	return nil
}

// certifier returns the hash of the chain from one of the MSP's CAs upwards.
func (m *fabricMSP) certifier(certPEM []byte) ([]byte, error) {
	cert, err := parseCertPEM(certPEM)
	if err != nil {
		return nil, fmt.Errorf("Failed getting certificate: %w", err)
	}
	if known := m.lowS[string(cert.Raw)]; known != nil {
		cert = known
	} else if cert, _, err = m.trust.normalize(cert); err != nil {
		return nil, fmt.Errorf("sanitizeCert failed %w", err)
	}
	if root := find(m.roots, cert); root != nil {
		return m.hashChain([]*x509.Certificate{root}), nil
	}
	if find(m.intermediates, cert) == nil {
		return nil, fmt.Errorf("Failed adding OU. Certificate of %s not in root or intermediate certs.", cert.Subject)
	}
	chain, err := m.trust.chain(cert)
	if err != nil {
		return nil, fmt.Errorf("Failed computing validation chain: %w", err)
	}
	if len(chain) < 2 || m.inner[string(cert.Raw)] {
		return nil, fmt.Errorf("Failed computing validation chain: %s is not a leaf of the certification tree", cert.Subject)
	}
	return m.hashChain(chain), nil
}

// find returns the one of certs that equals cert, or nil.
func find(certs []*x509.Certificate, cert *x509.Certificate) *x509.Certificate {
	for _, c := range certs {
		if c.Equal(cert) {
			return c
		}
	}
	return nil
}

func (m *fabricMSP) hashChain(chain []*x509.Certificate) []byte {
	h := m.hashes.identity()
	for _, c := range chain {
		h.Write(c.Raw)
	}
	return h.Sum(nil)
}

func (m *fabricMSP) setupNodeOUs(conf *mspproto.FabricMSPConfig) error {
	n := conf.FabricNodeOus
	if m.version == V1_0 || n == nil {
		return nil
	}
	if m.version < V1_4_3 {
		if n.ClientOuIdentifier.GetOrganizationalUnitIdentifier() == "" {
			return errors.New("Failed setting up NodeOUs. ClientOU must be different from nil.")
		}
		if n.PeerOuIdentifier.GetOrganizationalUnitIdentifier() == "" {
			return errors.New("Failed setting up NodeOUs. PeerOU must be different from nil.")
		}
	}
	m.nodeOUs.enabled = n.Enable
	var err error
	if m.nodeOUs.client, err = m.ouRule(n.ClientOuIdentifier); err != nil {
		return err
	}
	if m.nodeOUs.peer, err = m.ouRule(n.PeerOuIdentifier); err != nil {
		return err
	}
	if m.version < V1_4_3 {
		return nil
	}
	if m.nodeOUs.admin, err = m.ouRule(n.AdminOuIdentifier); err != nil {
		return err
	}
	if m.nodeOUs.orderer, err = m.ouRule(n.OrdererOuIdentifier); err != nil {
		return err
	}
	if len(m.nodeOUs.rules()) == 0 {
		m.nodeOUs.enabled = false
	}
	return nil
}

func (m *fabricMSP) ouRule(ou *mspproto.FabricOUIdentifier) (*ouRule, error) {
	if ou == nil {
		return nil, nil
	}
	r := &ouRule{unit: ou.OrganizationalUnitIdentifier}
	if len(ou.Certificate) == 0 {
		return r, nil
	}
	var err error
	r.certifier, err = m.certifier(ou.Certificate)
	return r, err
}

func (n *nodeOUs) rules() []*ouRule {
	var all []*ouRule
	for _, r := range []*ouRule{n.client, n.peer, n.admin, n.orderer} {
		if r != nil {
			all = append(all, r)
		}
	}
	return all
}

// role returns the rule of a role, or nil if the MSP has none.
func (n *nodeOUs) role(role mspproto.MSPRole_MSPRoleType) *ouRule {
	switch role {
	case mspproto.MSPRole_CLIENT:
		return n.client
	case mspproto.MSPRole_PEER:
		return n.peer
	case mspproto.MSPRole_ADMIN:
		return n.admin
	case mspproto.MSPRole_ORDERER:
		return n.orderer
	}
	return nil
}

// units returns the organizational units of an identity and the hash of its CA
// chain; none for an identity without a proper chain.
func (id *identity) units() ([]string, []byte) {
	if id.checkChain() != nil {
		return nil, nil
	}
	return id.cert.Subject.OrganizationalUnit, id.msp.hashChain(id.issuers)
}

// describeOUs prints units as Fabric's messages do, each with the start of the
// hash of its CA chain.
func describeOUs(units []string, chain []byte) string {
	out := make([]string, len(units))
	for i, u := range units {
		out[i] = fmt.Sprintf("%s(%X)", u, chain[:8])
	}
	return fmt.Sprintf("%s", out)
}

func (m *fabricMSP) checkOUs(id *identity) error {
	units, chain := id.units()
	if err := m.checkListedOUs(units, chain); err != nil {
		return err
	}
	if !m.nodeOUs.enabled {
		return nil
	}
	roles := 0
	for _, u := range units {
		rule := m.ruleOf(u)
		if rule == nil {
			continue
		}
		if len(rule.certifier) != 0 && !bytes.Equal(rule.certifier, chain) {
			return fmt.Errorf("certifiersIdentifier does not match: %s, MSP: [%s]", describeOUs(units, chain), m.id)
		}
		if roles++; roles > 1 {
			break
		}
	}
	if roles == 1 {
		return nil
	}
	text := "the identity does not have an OU that resolves to client, peer, orderer, or admin role. OUs: %s, MSP: [%s]"
	switch {
	case roles > 1 && m.version < V1_4_3:
		text = "the identity must be a client or a peer identity to be valid, not a combination of them. OUs: %s, MSP: [%s]"
	case roles > 1:
		text = "the identity must have a client, a peer, an orderer, or an admin OU role to be valid, not a combination of them. OUs: %s, MSP: [%s]"
	case m.version < V1_4_3:
		text = "the identity does not have an OU that resolves to client or peer. OUs: %s, MSP: [%s]"
	}
	return fmt.Errorf(text, describeOUs(units, chain), m.id)
}

// ruleOf returns the rule of a unit. If several roles have the same unit, the
// last in the order client, peer, admin, orderer counts; before 1.4.3 the first.
func (m *fabricMSP) ruleOf(unit string) *ouRule {
	var found *ouRule
	for _, r := range m.nodeOUs.rules() {
		if r.unit == unit && (found == nil || m.version >= V1_4_3) {
			found = r
		}
	}
	return found
}

func (m *fabricMSP) checkListedOUs(units []string, chain []byte) error {
	if len(m.ous) == 0 {
		return nil
	}
	for _, u := range units {
		for _, certifier := range m.ous[u] {
			if bytes.Equal(certifier, chain) {
				return nil
			}
		}
	}
	if len(units) == 0 {
		return errors.New("the identity certificate does not contain an Organizational Unit (OU)")
	}
	return fmt.Errorf("none of the identity's organizational units %s are in MSP %s", describeOUs(units, chain), m.id)
}

// hasRole checks the role's organizational unit, not its certifier.
func (m *fabricMSP) hasRole(id *identity, role mspproto.MSPRole_MSPRoleType) error {
	if !m.nodeOUs.enabled {
		return errors.New("NodeOUs not activated. Cannot tell apart identities.")
	}
	rule := m.nodeOUs.role(role)
	if rule == nil {
		return fmt.Errorf("cannot test for classification, node ou for type [%s], not defined, msp: [%s]", role, m.id)
	}
	units, _ := id.units()
	for _, u := range units {
		if u == rule.unit {
			return nil
		}
	}
	return fmt.Errorf("The identity does not contain OU [%s], MSP: [%s]", role, m.id)
}

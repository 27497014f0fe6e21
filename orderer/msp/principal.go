package msp

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// maxPrincipalNesting bounds combined principals inside combined principals.
const maxPrincipalNesting = 100

func (m *fabricMSP) setupAdmins(conf *mspproto.FabricMSPConfig) error {
	for i, b := range conf.Admins {
		id, err := m.newIdentity(b)
		if err != nil {
			return fmt.Errorf("admin %d is invalid: %w", i, err)
		}
		m.admins = append(m.admins, id)
	}
	if m.version == V1_4_3 && len(m.admins) == 0 && (!m.nodeOUs.enabled || m.nodeOUs.admin == nil) {
		return errors.New("administrators must be declared when no admin ou classification is set")
	}
	for i, admin := range m.admins {
		if err := m.checkAdmin(i, admin); err != nil {
			return err
		}
	}
	return nil
}

// checkAdmin makes sure that a listed administrator is a member, so that later
// an exact match of certificates is enough.
func (m *fabricMSP) checkAdmin(i int, admin *identity) error {
	switch {
	case !m.nodeOUs.enabled:
		if err := admin.Validate(); err != nil {
			return fmt.Errorf("admin %d is invalid: %w", i, err)
		}
	case m.version < V1_4_3:
		if err := m.isClientOrPeer(admin, mspproto.MSPRole_CLIENT); err != nil {
			return fmt.Errorf("admin %d is invalid: %w", i, err)
		}
	default:
		errClient := m.hasRole(admin, mspproto.MSPRole_CLIENT)
		errAdmin := m.hasRole(admin, mspproto.MSPRole_ADMIN)
		if errClient != nil && errAdmin != nil {
			return fmt.Errorf("admin %d is invalid [%s,%s]", i, errClient, errAdmin)
		}
	}
	return nil
}

func (m *fabricMSP) isListedAdmin(id *identity) bool {
	for _, admin := range m.admins {
		if bytes.Equal(admin.cert.Raw, id.cert.Raw) {
			return true
		}
	}
	return false
}

// satisfies evaluates a principal; a combined one is satisfied if all its
// parts are.
func (m *fabricMSP) satisfies(id *identity, principal *mspproto.MSPPrincipal) error {
	parts, err := m.parts(principal, 0)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := m.satisfiesOne(id, p); err != nil {
			return err
		}
	}
	return nil
}

func (m *fabricMSP) parts(p *mspproto.MSPPrincipal, depth int) ([]*mspproto.MSPPrincipal, error) {
	if p.GetPrincipalClassification() != mspproto.MSPPrincipal_COMBINED {
		return []*mspproto.MSPPrincipal{p}, nil
	}
	if m.version <= V1_1 {
		return nil, fmt.Errorf("invalid principal type %d", int32(p.PrincipalClassification))
	}
	if depth >= maxPrincipalNesting {
		return nil, fmt.Errorf("combined principals are nested more than %d deep", maxPrincipalNesting)
	}
	combined := &mspproto.CombinedPrincipal{}
	if err := proto.Unmarshal(p.Principal, combined); err != nil {
		return nil, fmt.Errorf("could not unmarshal CombinedPrincipal from principal: %w", err)
	}
	if len(combined.Principals) == 0 {
		return nil, errors.New("No principals in CombinedPrincipal")
	}
	var all []*mspproto.MSPPrincipal
	for _, c := range combined.Principals {
		parts, err := m.parts(c, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, nil
}

func (m *fabricMSP) satisfiesOne(id *identity, p *mspproto.MSPPrincipal) error {
	switch class := p.GetPrincipalClassification(); {
	case class == mspproto.MSPPrincipal_ROLE:
		return m.satisfiesRole(id, p.GetPrincipal())
	case class == mspproto.MSPPrincipal_IDENTITY:
		return m.isIdentity(id, p.GetPrincipal())
	case class == mspproto.MSPPrincipal_ORGANIZATION_UNIT:
		return m.isInUnit(id, p.GetPrincipal())
	case class == mspproto.MSPPrincipal_ANONYMITY && m.version >= V1_3:
		return checkAnonymity(p.GetPrincipal())
	default:
		return fmt.Errorf("invalid principal type %d", int32(class))
	}
}

func (m *fabricMSP) satisfiesRole(id *identity, principal []byte) error {
	role := &mspproto.MSPRole{}
	if err := proto.Unmarshal(principal, role); err != nil {
		return fmt.Errorf("could not unmarshal MSPRole from principal: %w", err)
	}
	if role.MspIdentifier != m.id {
		return fmt.Errorf("the identity is a member of a different MSP (expected %s, got %s)", role.MspIdentifier, m.id)
	}
	switch {
	case role.Role == mspproto.MSPRole_MEMBER:
		return id.Validate()
	case role.Role == mspproto.MSPRole_ADMIN:
		return m.isAdmin(id)
	case role.Role == mspproto.MSPRole_CLIENT, role.Role == mspproto.MSPRole_PEER:
		return m.isClientOrPeer(id, role.Role)
	case role.Role == mspproto.MSPRole_ORDERER && m.version >= V1_4_3 && m.nodeOUs.enabled:
		return m.isClientOrPeer(id, role.Role)
	default:
		return fmt.Errorf("invalid MSP role type %d", int32(role.Role))
	}
}

// isAdmin accepts listed administrators and, with NodeOUs of 1.4.3, valid
// identities of the admin unit.
func (m *fabricMSP) isAdmin(id *identity) error {
	if m.isListedAdmin(id) {
		return nil
	}
	if m.version < V1_4_3 || !m.nodeOUs.enabled {
		return errors.New("This identity is not an admin")
	}
	if err := id.Validate(); err != nil {
		return fmt.Errorf("The identity is not valid under this MSP [%s]: %w", m.id, err)
	}
	if err := m.hasRole(id, mspproto.MSPRole_ADMIN); err != nil {
		return fmt.Errorf("The identity is not an admin under this MSP [%s]: %w", m.id, err)
	}
	return nil
}

// isClientOrPeer checks the roles that come with an organizational unit only:
// client, peer, orderer.
func (m *fabricMSP) isClientOrPeer(id *identity, role mspproto.MSPRole_MSPRoleType) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("The identity is not valid under this MSP [%s]: %w", m.id, err)
	}
	if err := m.hasRole(id, role); err != nil {
		return fmt.Errorf("The identity is not a [%s] under this MSP [%s]: %w", role, m.id, err)
	}
	return nil
}

func (m *fabricMSP) isIdentity(id *identity, serialized []byte) error {
	wanted, err := m.DeserializeIdentity(serialized)
	if err != nil {
		return fmt.Errorf("invalid identity principal, not a certificate: %w", err)
	}
	if wanted.Key() != id.key {
		return errors.New("The identities do not match")
	}
	return wanted.Validate()
}

func (m *fabricMSP) isInUnit(id *identity, principal []byte) error {
	ou := &mspproto.OrganizationUnit{}
	if err := proto.Unmarshal(principal, ou); err != nil {
		return fmt.Errorf("could not unmarshal OrganizationUnit from principal: %w", err)
	}
	if ou.MspIdentifier != m.id {
		return fmt.Errorf("the identity is a member of a different MSP (expected %s, got %s)", ou.MspIdentifier, m.id)
	}
	if err := id.Validate(); err != nil {
		return err
	}
	units, chain := id.units()
	for _, u := range units {
		if u == ou.OrganizationalUnitIdentifier && bytes.Equal(chain, ou.CertifiersIdentifier) {
			return nil
		}
	}
	return errors.New("The identities do not match")
}

func checkAnonymity(principal []byte) error {
	a := &mspproto.MSPIdentityAnonymity{}
	if err := proto.Unmarshal(principal, a); err != nil {
		return fmt.Errorf("could not unmarshal MSPIdentityAnonymity from principal: %w", err)
	}
	switch a.AnonymityType {
	case mspproto.MSPIdentityAnonymity_NOMINAL:
		return nil
	case mspproto.MSPIdentityAnonymity_ANONYMOUS:
		return errors.New("Principal is anonymous, but X.509 MSP does not support anonymous identities")
	default:
		return fmt.Errorf("Unknown principal anonymity type: %d", a.AnonymityType)
	}
}

package msp_test

import (
	"crypto/sha256"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/msp"
	"raftmig/orderer/msp/msptest"
	"raftmig/orderer/protoutil"
)

func decode(t testing.TB, m msp.MSP, p *msptest.Pair) msp.Identity {
	t.Helper()
	id, err := m.DeserializeIdentity(p.Serialized(m.ID()))
	require.NoError(t, err)
	return id
}

func TestRolesByVersion(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	plain := root.Issue(t, "plain")
	client := root.Issue(t, "client", msptest.OU("client"))
	peer := root.Issue(t, "peer", msptest.OU("peer"))
	admin := root.Issue(t, "admin", msptest.OU("admin"))
	orderer := root.Issue(t, "orderer", msptest.OU("orderer"))
	both := root.Issue(t, "both", msptest.OU("client", "peer"))
	three := root.Issue(t, "three", msptest.OU("client", "peer", "admin"))
	listedClient := root.Issue(t, "listed", msptest.OU("client"))

	const (
		member = mspproto.MSPRole_MEMBER
		adm    = mspproto.MSPRole_ADMIN
		cli    = mspproto.MSPRole_CLIENT
		pee    = mspproto.MSPRole_PEER
		ord    = mspproto.MSPRole_ORDERER
	)
	type roles = []mspproto.MSPRole_MSPRoleType
	list := admins(listedClient)
	for _, tc := range []struct {
		name    string
		version msp.Version
		change  change
		id      *msptest.Pair
		want    roles
	}{
		{"1.0 knows no units", msp.V1_0, list, peer, roles{member}},
		{"1.0 takes identities without units", msp.V1_0, list, plain, roles{member}},
		{"1.0 knows listed administrators", msp.V1_0, list, listedClient, roles{member, adm}},
		{"1.0 does not look at the admin unit", msp.V1_0, list, admin, roles{member}},
		{"1.1 tells clients", msp.V1_1, list, client, roles{member, cli}},
		{"1.1 tells peers", msp.V1_1, list, peer, roles{member, pee}},
		{"1.1 refuses identities without a unit", msp.V1_1, list, plain, nil},
		{"1.1 refuses the admin unit", msp.V1_1, list, admin, nil},
		{"1.1 refuses the orderer unit", msp.V1_1, list, orderer, nil},
		{"1.1 refuses two units", msp.V1_1, list, both, nil},
		{"1.1 passes over the admin unit beside a client's", msp.V1_1, list, listedClient, roles{member, adm, cli}},
		{"1.3 tells clients", msp.V1_3, list, client, roles{member, cli}},
		{"1.3 refuses the orderer unit", msp.V1_3, list, orderer, nil},
		{"1.4.3 tells clients", msp.V1_4_3, nil, client, roles{member, cli}},
		{"1.4.3 tells peers", msp.V1_4_3, nil, peer, roles{member, pee}},
		{"1.4.3 tells administrators", msp.V1_4_3, nil, admin, roles{member, adm}},
		{"1.4.3 tells orderers", msp.V1_4_3, nil, orderer, roles{member, ord}},
		{"1.4.3 refuses identities without a unit", msp.V1_4_3, nil, plain, nil},
		{"1.4.3 refuses several units", msp.V1_4_3, nil, three, nil},
		{"1.4.3 knows listed administrators beside the unit", msp.V1_4_3, list, listedClient, roles{member, adm, cli}},
		{"1.4.3 without NodeOUs knows listed administrators only", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { list(c); noNodeOUs(c) }, admin, roles{member}},
		{"1.4.3 with NodeOUs switched off", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { list(c); c.FabricNodeOus.Enable = false }, orderer, roles{member}},
		{"1.4.3 with NodeOUs that name no unit", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) {
			list(c)
			c.FabricNodeOus = &mspproto.FabricNodeOUs{Enable: true}
		}, plain, roles{member}},
		{"1.4.3 without an orderer unit", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.OrdererOuIdentifier = nil }, orderer, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var changes []change
			if tc.change != nil {
				changes = append(changes, tc.change)
			}
			id := decode(t, newMSP(t, tc.version, root, changes...), tc.id)
			var got roles
			for _, r := range (roles{member, adm, cli, pee, ord}) {
				err := id.SatisfiesPrincipal(msptest.Role(orgID, r))
				require.Equal(t, err, id.SatisfiesPrincipal(msptest.Role(orgID, r)), "the remembered answer")
				if err == nil {
					got = append(got, r)
				} else {
					require.ErrorIs(t, err, msp.ErrPrincipalNotSatisfied)
				}
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestTextsOfUnitsAndRoles(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	mid := root.Sub(t, "mid")
	admin := root.Issue(t, "admin", msptest.OU("client"))
	role := func(r mspproto.MSPRole_MSPRoleType) *mspproto.MSPPrincipal { return msptest.Role(orgID, r) }
	listed := func(c *mspproto.FabricMSPConfig) {
		noNodeOUs(c)
		admins(root.Issue(t, "a", msptest.OU("u")))(c)
		c.OrganizationalUnitIdentifiers = []*mspproto.FabricOUIdentifier{
			{OrganizationalUnitIdentifier: "u", Certificate: root.PEM}, {OrganizationalUnitIdentifier: "u", Certificate: root.PEM},
		}
	}
	for _, tc := range []struct {
		name      string
		version   msp.Version
		change    change
		id        *msptest.Pair
		principal *mspproto.MSPPrincipal
		want      string // a pattern
	}{
		{"no unit of the list", msp.V1_4_3, listed, root.Issue(t, "x", msptest.OU("v")), role(0), `could not validate identity's OUs: none of the identity's organizational units \[v\([0-9A-F]{16}\)\] are in MSP Org1MSP`},
		{"no unit at all", msp.V1_4_3, listed, root.Issue(t, "x"), role(0), `the identity certificate does not contain an Organizational Unit \(OU\)`},
		{"no node unit", msp.V1_4_3, nil, root.Issue(t, "x", msptest.OU("v", "w")), role(0), `the identity does not have an OU that resolves to client, peer, orderer, or admin role. OUs: \[v\([0-9A-F]{16}\) w\([0-9A-F]{16}\)\], MSP: \[Org1MSP\]`},
		{"no node unit in 1.1", msp.V1_1, admins(admin), root.Issue(t, "x"), role(0), `the identity does not have an OU that resolves to client or peer. OUs: \[\], MSP: \[Org1MSP\]`},
		{"two node units", msp.V1_4_3, nil, root.Issue(t, "x", msptest.OU("admin", "peer")), role(0), `the identity must have a client, a peer, an orderer, or an admin OU role to be valid, not a combination of them. OUs: `},
		{"two node units in 1.1", msp.V1_1, admins(admin), root.Issue(t, "x", msptest.OU("client", "peer")), role(0), `the identity must be a client or a peer identity to be valid, not a combination of them. OUs: `},
		{"a node unit below another CA", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) {
			intermediates(mid)(c)
			other := root.Sub(t, "other")
			intermediates(other)(c)
			c.FabricNodeOus = msptest.NodeOUs(other.PEM)
		}, mid.Issue(t, "x", msptest.OU("client")), role(0), `certifiersIdentifier does not match: \[client\([0-9A-F]{16}\)\], MSP: \[Org1MSP\]`},
		{"an MSP that is another", msp.V1_4_3, nil, admin, msptest.Role("Org2MSP", 0), `the identity is a member of a different MSP \(expected Org2MSP, got Org1MSP\)`},
		{"not an admin by unit", msp.V1_4_3, nil, admin, role(1), `The identity is not an admin under this MSP \[Org1MSP\]: The identity does not contain OU \[ADMIN\], MSP: \[Org1MSP\]`},
		{"not an admin by list", msp.V1_3, admins(admin), root.Issue(t, "x", msptest.OU("client")), role(1), `This identity is not an admin`},
		{"not a peer", msp.V1_4_3, nil, admin, role(3), `The identity is not a \[PEER\] under this MSP \[Org1MSP\]: The identity does not contain OU \[PEER\], MSP: \[Org1MSP\]`},
		{"not valid as a peer", msp.V1_4_3, nil, root.Issue(t, "x"), role(3), `The identity is not valid under this MSP \[Org1MSP\]: could not validate identity's OUs: `},
		{"a role without NodeOUs", msp.V1_0, admins(admin), admin, role(2), `The identity is not a \[CLIENT\] under this MSP \[Org1MSP\]: NodeOUs not activated. Cannot tell apart identities.`},
		{"the orderer role before 1.4.3", msp.V1_3, admins(admin), admin, role(4), `invalid MSP role type 4`},
		{"a role that there is not", msp.V1_4_3, nil, admin, role(9), `invalid MSP role type 9`},
		{"a role without its unit", msp.V1_4_3, func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.PeerOuIdentifier = nil }, admin, role(3), `cannot test for classification, node ou for type \[PEER\], not defined, msp: \[Org1MSP\]`},
		{"a role that is no message", msp.V1_4_3, nil, admin, &mspproto.MSPPrincipal{Principal: []byte{0xff}}, `could not unmarshal MSPRole from principal`},
		{"a principal of an unknown kind", msp.V1_4_3, nil, admin, &mspproto.MSPPrincipal{PrincipalClassification: 9}, `invalid principal type 9`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var changes []change
			if tc.change != nil {
				changes = append(changes, tc.change)
			}
			err := decode(t, newMSP(t, tc.version, root, changes...), tc.id).SatisfiesPrincipal(tc.principal)
			require.Error(t, err)
			require.Regexp(t, tc.want, err.Error())
		})
	}
}

func TestPrincipalsThatAreNoRoles(t *testing.T) {
	root := msptest.NewCA(t, "ca")
	client, peer := root.Issue(t, "client", msptest.OU("client", "sales")), root.Issue(t, "peer", msptest.OU("peer"))
	unlisted := root.Issue(t, "x")
	chain := sha256.Sum256(root.Cert.Raw)
	principal := func(class mspproto.MSPPrincipal_Classification, b []byte) *mspproto.MSPPrincipal {
		return &mspproto.MSPPrincipal{PrincipalClassification: class, Principal: b}
	}
	identity := func(p *msptest.Pair) *mspproto.MSPPrincipal {
		return principal(mspproto.MSPPrincipal_IDENTITY, p.Serialized(orgID))
	}
	unit := func(mspID, name string, certifier []byte) *mspproto.MSPPrincipal {
		return principal(mspproto.MSPPrincipal_ORGANIZATION_UNIT, protoutil.MustMarshal(&mspproto.OrganizationUnit{
			MspIdentifier: mspID, OrganizationalUnitIdentifier: name, CertifiersIdentifier: certifier,
		}))
	}
	anonymity := func(a mspproto.MSPIdentityAnonymity_MSPIdentityAnonymityType) *mspproto.MSPPrincipal {
		return principal(mspproto.MSPPrincipal_ANONYMITY, protoutil.MustMarshal(&mspproto.MSPIdentityAnonymity{AnonymityType: a}))
	}
	combined := func(parts ...*mspproto.MSPPrincipal) *mspproto.MSPPrincipal {
		return principal(mspproto.MSPPrincipal_COMBINED, protoutil.MustMarshal(&mspproto.CombinedPrincipal{Principals: parts}))
	}
	deep := msptest.Role(orgID, 0)
	for range 200 {
		deep = combined(deep)
	}
	for _, tc := range []struct {
		name      string
		version   msp.Version
		id        *msptest.Pair
		principal *mspproto.MSPPrincipal
		want      string
	}{
		{"the same certificate", msp.V1_4_3, client, identity(client), ""},
		{"another certificate", msp.V1_4_3, client, identity(peer), "The identities do not match"},
		{"a certificate that is not valid", msp.V1_4_3, unlisted, identity(unlisted), "could not validate identity's OUs"},
		{"an identity that is none", msp.V1_4_3, client, principal(mspproto.MSPPrincipal_IDENTITY, []byte("x")), "invalid identity principal, not a certificate"},
		{"a unit", msp.V1_4_3, client, unit(orgID, "sales", chain[:]), ""},
		{"a unit of another CA", msp.V1_4_3, client, unit(orgID, "sales", []byte("x")), "The identities do not match"},
		{"another unit", msp.V1_4_3, client, unit(orgID, "legal", chain[:]), "The identities do not match"},
		{"a unit of another MSP", msp.V1_4_3, client, unit("Org2MSP", "sales", chain[:]), "the identity is a member of a different MSP (expected Org2MSP, got Org1MSP)"},
		{"a unit of an identity that is not valid", msp.V1_4_3, unlisted, unit(orgID, "sales", chain[:]), "could not validate identity's OUs"},
		{"a unit that is no message", msp.V1_4_3, client, principal(mspproto.MSPPrincipal_ORGANIZATION_UNIT, []byte{0xff}), "could not unmarshal OrganizationUnit from principal"},
		{"a name", msp.V1_3, client, anonymity(mspproto.MSPIdentityAnonymity_NOMINAL), ""},
		{"no name", msp.V1_3, client, anonymity(mspproto.MSPIdentityAnonymity_ANONYMOUS), "Principal is anonymous, but X.509 MSP does not support anonymous identities"},
		{"an unknown anonymity", msp.V1_3, client, anonymity(7), "Unknown principal anonymity type: 7"},
		{"a name before 1.3", msp.V1_1, client, anonymity(mspproto.MSPIdentityAnonymity_NOMINAL), "invalid principal type 3"},
		{"all parts", msp.V1_3, client, combined(identity(client), combined(unit(orgID, "sales", chain[:]))), ""},
		{"one part of two", msp.V1_3, client, combined(identity(client), identity(peer)), "The identities do not match"},
		{"no parts", msp.V1_3, client, combined(), "No principals in CombinedPrincipal"},
		{"parts before 1.3", msp.V1_1, client, combined(identity(client)), "invalid principal type 4"},
		{"parts that are no message", msp.V1_3, client, principal(mspproto.MSPPrincipal_COMBINED, []byte{0xff}), "could not unmarshal CombinedPrincipal from principal"},
		{"parts of parts without an end", msp.V1_3, client, deep, "nested more than 100 deep"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMSP(t, tc.version, root, admins(root.Issue(t, "a", msptest.OU("client"))))
			err := decode(t, m, tc.id).SatisfiesPrincipal(tc.principal)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.ErrorIs(t, err, msp.ErrPrincipalNotSatisfied)
		})
	}
}

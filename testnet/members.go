package testnet

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msp"
	"raftmig/orderer/msp/mspdir"
	"raftmig/orderer/policies"
)

// member is an organization with the identities that were made for it.
type member struct {
	admin, user Identity // user is the admin where there is no other
}

// members are all organizations by MSP ID.
func (t *topology) members() map[string]member {
	all := map[string]member{}
	for _, o := range t.ordererOrgs {
		a := o.adminOf(o.ordererDir())
		all[o.mspID] = member{a, a}
	}
	for _, o := range t.appOrgs {
		all[o.mspID] = member{o.adminOf(o.peerDir()), o.user(o.peerDir())}
	}
	return all
}

// chooseIdentities finds who creates a channel and who may write to it: the
// first that its policy lets, users before admins. What the policies ask for and the
// clone cannot give is noted.
func (m *Manifest) chooseIdentities(dir string, c *Channel, group *cb.ConfigGroup, members map[string]member) error {
	bundle, err := channelconfig.NewBundle(c.Name, &cb.Config{ChannelGroup: group})
	if err != nil {
		return fmt.Errorf("the cloned configuration is not valid: %w", err)
	}
	application, _ := bundle.ApplicationConfig()
	orderer, _ := bundle.OrdererConfig()
	var users, admins []Identity
	orgs := application.Organizations()
	for _, name := range slices.Sorted(maps.Keys(orgs)) {
		users = append(users, members[orgs[name].MSPID()].user)
		admins = append(admins, members[orgs[name].MSPID()].admin)
	}
	owners := orderer.Organizations()
	for _, name := range slices.Sorted(maps.Keys(owners)) {
		if a := members[owners[name].MSPID()].admin; !slices.Contains(admins, a) {
			admins = append(admins, a)
		}
	}
	c.Creator, c.Signers = admins[0], admins[1:]
	for _, id := range append(slices.Clone(users), admins...) {
		if satisfies(dir, bundle, policies.ChannelWriters, id) == nil {
			c.Client = id
			break
		}
	}
	if c.Client == (Identity{}) {
		c.Client = c.Creator
		m.notKept("channel %s: nobody who was made for the clone satisfies its Writers policy, so it takes no transactions", c.Name)
	}
	if err := satisfies(dir, bundle, policies.ChannelOrdererAdmins, m.ordererAdmins(orderer, members)...); err != nil {
		m.notKept("channel %s: the admins who were made for the clone do not satisfy /Channel/Orderer/Admins, so it cannot be migrated: %v", c.Name, err)
	}
	return nil
}

func (m *Manifest) notKept(format string, args ...any) {
	m.Clone.NotKept = append(m.Clone.NotKept, fmt.Sprintf(format, args...))
}

func (m *Manifest) ordererAdmins(orderer channelconfig.Orderer, members map[string]member) []Identity {
	var out []Identity
	for _, o := range orderer.Organizations() {
		out = append(out, members[o.MSPID()].admin)
	}
	return out
}

// satisfies returns why identities together do not satisfy a policy.
func satisfies(dir string, bundle *channelconfig.Bundle, policy string, ids ...Identity) error {
	p, ok := bundle.PolicyManager().GetPolicy(policy)
	if !ok {
		return fmt.Errorf("there is no policy %s", policy)
	}
	var known []msp.Identity
	for _, id := range ids {
		signer, err := mspdir.LoadSigner(filepath.Join(dir, filepath.FromSlash(id.MSPDir)), id.MSPID)
		if err != nil {
			return err
		}
		serialized, err := signer.Serialize()
		if err != nil {
			return err
		}
		identity, err := bundle.MSPManager().DeserializeIdentity(serialized)
		if err == nil {
			err = identity.Validate()
		}
		if err != nil {
			return fmt.Errorf("the channel does not accept %s: %w", path.Base(path.Dir(id.MSPDir)), err)
		}
		known = append(known, identity)
	}
	return p.EvaluateIdentities(known)
}

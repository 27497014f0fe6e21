package clone

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/channelconfig"
)

// Org is an organization that needs keys.
type Org struct {
	MSPID  string
	Domain string
	// Orders tells that it owns part of the ordering service; it may use
	// channels too.
	Orders bool
	// NodeOUs tells that its certificates carry their role; without, its
	// admins are listed in its MSP.
	NodeOUs bool

	groups   []string // names of its config groups
	tlsRoots *x509.CertPool
}

// Types of MSPs in MSPConfig.
const (
	typeFabric = 0
	typeIdemix = 1
)

// seen is what the channels say of an MSP.
type seen struct {
	org    Org
	conf   *mspproto.FabricMSPConfig // nil for Idemix
	raw    []byte                    // the MSP of the first place
	modern bool                      // all its channels know NodeOU roles of admins
}

// findOrgs collects the organizations of all channels.
func (s *Shape) findOrgs(n *notes) error {
	found := map[string]*seen{}
	var order []string
	for _, channel := range s.all() {
		group := s.groups[channel]
		modern := knowsAdminRole(group)
		visit := func(where string, orgs map[string]*cb.ConfigGroup, orders bool) error {
			for _, name := range slices.Sorted(maps.Keys(orgs)) {
				id, conf, err := mspOf(orgs[name])
				if err != nil {
					return fmt.Errorf("channel %s: organization %s/%s: %w", channel, where, name, err)
				}
				x := found[id]
				if x == nil {
					x = &seen{org: Org{MSPID: id}, conf: conf, raw: orgs[name].Values[channelconfig.MSPKey].Value, modern: true}
					found[id] = x
					order = append(order, id)
				}
				if string(x.raw) != string(orgs[name].Values[channelconfig.MSPKey].Value) {
					n.add("MSP %s: it is not the same in all places; one is made for all", id)
				}
				x.org.Orders = x.org.Orders || orders
				x.modern = x.modern && modern
				if !slices.Contains(x.org.groups, name) {
					x.org.groups = append(x.org.groups, name)
				}
			}
			return nil
		}
		if err := visit(channelconfig.OrdererGroup, group.Groups[channelconfig.OrdererGroup].Groups, true); err != nil {
			return err
		}
		if err := visit(channelconfig.ApplicationGroup, group.Groups[channelconfig.ApplicationGroup].GetGroups(), false); err != nil {
			return err
		}
		consortiums := group.Groups[channelconfig.ConsortiumsGroup].GetGroups()
		for _, name := range slices.Sorted(maps.Keys(consortiums)) {
			if err := visit(channelconfig.ConsortiumsGroup+"/"+name, consortiums[name].Groups, false); err != nil {
				return err
			}
		}
	}
	domains := map[string]bool{}
	for _, id := range order {
		x := found[id]
		x.org.NodeOUs = x.nodeOUs(n)
		x.compare(n)
		x.org.Domain = uniqueDomain(x, domains)
		x.org.tlsRoots = pool(x.conf)
		s.Orgs = append(s.Orgs, x.org)
	}
	if !slices.ContainsFunc(s.Orgs, func(o Org) bool { return o.Orders }) {
		return fmt.Errorf("no channel has an orderer organization")
	}
	return nil
}

// mspOf returns the MSP ID of an organization and, unless it is Idemix, its MSP.
func mspOf(group *cb.ConfigGroup) (string, *mspproto.FabricMSPConfig, error) {
	outer := &mspproto.MSPConfig{}
	if err := decode(group, channelconfig.MSPKey, outer); err != nil {
		return "", nil, err
	}
	switch {
	case group.GetValues()[channelconfig.MSPKey] == nil:
		return "", nil, fmt.Errorf("it has no MSP")
	case outer.Type == typeIdemix:
		inner := &mspproto.IdemixMSPConfig{}
		if err := proto.Unmarshal(outer.Config, inner); err != nil {
			return "", nil, fmt.Errorf("decoding its MSP: %w", err)
		}
		return inner.Name, nil, nil
	case outer.Type != typeFabric:
		return "", nil, fmt.Errorf("MSPs of type %d are unknown", outer.Type)
	}
	inner := &mspproto.FabricMSPConfig{}
	if err := proto.Unmarshal(outer.Config, inner); err != nil {
		return "", nil, fmt.Errorf("decoding its MSP: %w", err)
	}
	if inner.Name == "" {
		return "", nil, fmt.Errorf("its MSP has no ID")
	}
	return inner.Name, inner, nil
}

// knowsAdminRole tells whether a channel's capability classifies admins and
// orderers by NodeOUs, which came with V1_4_3 (spec 7.6).
func knowsAdminRole(group *cb.ConfigGroup) bool {
	c := &cb.Capabilities{}
	if decode(group, channelconfig.CapabilitiesKey, c) != nil {
		return false
	}
	for name := range c.Capabilities {
		if !strings.HasPrefix(name, "V1_") || name == "V1_4_3" {
			return true
		}
	}
	return false
}

// nodeOUs decides whether certificates carry roles.
func (x *seen) nodeOUs(n *notes) bool {
	ous := x.conf.GetFabricNodeOus()
	if !ous.GetEnable() {
		return false
	}
	switch {
	case ous.AdminOuIdentifier == nil:
		n.add("MSP %s: its NodeOUs have no role for admins; the clone lists its admin, without NodeOUs, so peer and client roles match nobody", x.org.MSPID)
		return false
	case !x.modern:
		n.add("MSP %s: it has NodeOUs in a channel whose capability does not know them all; the clone lists its admin, without NodeOUs, so peer and client roles match nobody", x.org.MSPID)
		return false
	}
	for _, role := range []struct {
		ou   *mspproto.FabricOUIdentifier
		name string
	}{{ous.ClientOuIdentifier, "client"}, {ous.PeerOuIdentifier, "peer"}, {ous.AdminOuIdentifier, "admin"}, {ous.OrdererOuIdentifier, "orderer"}} {
		if got := role.ou.GetOrganizationalUnitIdentifier(); got != role.name {
			n.add("MSP %s: the organizational unit of role %s is %q; in the clone it is %q", x.org.MSPID, role.name, got, role.name)
		}
	}
	return true
}

// compare notes what cryptogen does not make.
func (x *seen) compare(n *notes) {
	id, c := x.org.MSPID, x.conf
	if c == nil {
		n.add("MSP %s: it is Idemix; the clone has an X.509 MSP of that name", id)
		return
	}
	for _, has := range []struct {
		what string
		n    int
	}{
		{"intermediate CAs", len(c.IntermediateCerts)}, {"intermediate TLS CAs", len(c.TlsIntermediateCerts)},
		{"revocation lists", len(c.RevocationList)}, {"organizational unit restrictions", len(c.OrganizationalUnitIdentifiers)},
	} {
		if has.n > 0 {
			n.add("MSP %s: its %d %s are left out", id, has.n, has.what)
		}
	}
	if len(c.RootCerts) > 1 || len(c.TlsRootCerts) > 1 {
		n.add("MSP %s: it has %d root CAs and %d TLS root CAs; the clone has one of each", id, len(c.RootCerts), len(c.TlsRootCerts))
	}
	if len(c.Admins) > 1 || (len(c.Admins) == 1 && x.org.NodeOUs) {
		n.add("MSP %s: it lists %d admins; the clone has one", id, len(c.Admins))
	}
	if h := c.CryptoConfig.GetSignatureHashFamily(); h != "" && h != "SHA2" {
		n.add("MSP %s: its hash family is %s; in the clone it is SHA2", id, h)
	}
}

var domainPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

// maxDomain leaves room for "tlsca." in a common name of 64 characters.
const maxDomain = 58

// uniqueDomain takes the domain that the organization's CA names, or makes one
// of the MSP ID. Folders are named after it.
func uniqueDomain(x *seen, taken map[string]bool) string {
	domain := ""
	for _, text := range x.conf.GetRootCerts() {
		cert := parse(text)
		if cert == nil {
			continue
		}
		candidates := append([]string{}, cert.Subject.Organization...)
		candidates = append(candidates, strings.TrimPrefix(cert.Subject.CommonName, "ca."))
		for _, c := range candidates {
			if c = strings.ToLower(c); domain == "" && len(c) <= maxDomain && domainPattern.MatchString(c) && !taken[c] {
				domain = c
			}
		}
	}
	if domain == "" {
		label := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(x.org.MSPID), "-"), "-")
		if label == "" {
			label = "org"
		}
		label = label[:min(len(label), 40)]
		for i := 1; domain == "" || taken[domain]; i++ {
			domain = label + ".example.com"
			if i > 1 {
				domain = fmt.Sprintf("%s-%d.example.com", label, i)
			}
		}
	}
	taken[domain] = true
	return domain
}

func parse(text []byte) *x509.Certificate {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}

func pool(c *mspproto.FabricMSPConfig) *x509.CertPool {
	p := x509.NewCertPool()
	for _, text := range append(append([][]byte{}, c.GetTlsRootCerts()...), c.GetTlsIntermediateCerts()...) {
		p.AppendCertsFromPEM(text)
	}
	return p
}

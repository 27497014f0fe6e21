package channelcfg

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
	"raftmig/runbook"
)

// Endpoints are the channel's orderer endpoints as clients and orderers use
// them: those of the orderer organizations if any has some, else the global
// list (spec 5.5); sorted.
func (v *View) Endpoints() []string {
	root := v.Config.GetChannelGroup()
	var out []string
	for _, org := range root.GetGroups()[channelconfig.OrdererGroup].GetGroups() {
		out = append(out, addresses(org, channelconfig.EndpointsKey)...)
	}
	if len(out) == 0 {
		out = addresses(root, channelconfig.OrdererAddressesKey)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func addresses(group *cb.ConfigGroup, key string) []string {
	list := &cb.OrdererAddresses{}
	if proto.Unmarshal(group.GetValues()[key].GetValue(), list) != nil {
		return nil
	}
	return list.Addresses
}

func setAddresses(group *cb.ConfigGroup, key, modPolicy string, list []string) error {
	b, err := protoutil.Marshal(&cb.OrdererAddresses{Addresses: list})
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	if value := group.Values[key]; value != nil {
		value.Value = b
		return nil
	}
	if group.Values == nil {
		group.Values = map[string]*cb.ConfigValue{}
	}
	group.Values[key] = &cb.ConfigValue{Value: b, ModPolicy: modPolicy}
	return nil
}

// editEndpoints adds the goal's endpoint to root, a copy of v's configuration,
// or takes it away.
func (g Goal) editEndpoints(v *View, root *cb.ConfigGroup) error {
	orgs := root.GetGroups()[channelconfig.OrdererGroup].GetGroups()
	switch {
	case g.Endpoint == "":
		return nil
	case g.Change == runbook.ChangeRemoveConsenter:
		err := withdraw(root, channelconfig.OrdererAddressesKey, g.Endpoint)
		for _, name := range slices.Sorted(maps.Keys(orgs)) {
			err = errors.Join(err, withdraw(orgs[name], channelconfig.EndpointsKey, g.Endpoint))
		}
		return err
	case g.Change != runbook.ChangeAddEndpoint || slices.Contains(v.Endpoints(), g.Endpoint):
		return nil
	}
	byOrg := false
	for _, org := range orgs {
		byOrg = byOrg || len(addresses(org, channelconfig.EndpointsKey)) > 0
	}
	if !byOrg {
		return setAddresses(root, channelconfig.OrdererAddressesKey, "/Channel/Orderer/Admins",
			append(addresses(root, channelconfig.OrdererAddressesKey), g.Endpoint))
	}
	name, err := g.owner(v)
	if err != nil {
		return err
	}
	return setAddresses(orgs[name], channelconfig.EndpointsKey, channelconfig.AdminsPolicyKey,
		append(addresses(orgs[name], channelconfig.EndpointsKey), g.Endpoint))
}

func withdraw(group *cb.ConfigGroup, key, endpoint string) error {
	list := addresses(group, key)
	if !slices.Contains(list, endpoint) {
		return nil
	}
	return setAddresses(group, key, "", slices.DeleteFunc(list, func(a string) bool { return a == endpoint }))
}

// owner is the orderer organization of the node that the endpoint belongs to:
// the one whose TLS CA issued the server certificate of the consenter.
func (g Goal) owner(v *View) (string, error) {
	md, err := raftmetadata.Unmarshal(g.Metadata)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(md.Consenters, func(c *etcdraft.Consenter) bool {
		return net.JoinHostPort(c.GetHost(), strconv.Itoa(int(c.GetPort()))) == g.Consenter
	})
	if i < 0 {
		return "", fmt.Errorf("no consenter is at %s, so the endpoint has no owner", g.Consenter)
	}
	c := md.Consenters[i]
	server, err := raftmetadata.ParseCertificate(c.ServerTlsCert)
	if err != nil {
		return "", err
	}
	bundle, err := channelconfig.NewBundle(v.Channel, v.Config)
	if err != nil {
		return "", err
	}
	ord, ok := bundle.OrdererConfig()
	if !ok {
		return "", errNoOrderer
	}
	orgs := ord.Organizations()
	for _, name := range slices.Sorted(maps.Keys(orgs)) {
		opts := x509.VerifyOptions{
			Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}
		for _, ca := range orgs[name].MSP().TLSRootCerts() {
			opts.Roots.AppendCertsFromPEM(ca)
		}
		for _, ca := range orgs[name].MSP().TLSIntermediateCerts() {
			opts.Intermediates.AppendCertsFromPEM(ca)
		}
		for _, at := range []time.Time{time.Now(), server.NotBefore, server.NotAfter} { // validity does not matter here
			opts.CurrentTime = at
			if _, err := server.Verify(opts); err == nil {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("no orderer organization's TLS CA issued the certificate of %s:%d, so its endpoint has no owner", c.Host, c.Port)
}

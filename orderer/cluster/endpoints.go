package cluster

import (
	"crypto/x509"
	"sort"

	"raftmig/orderer/channelconfig"
)

// Endpoint is an orderer that serves blocks.
type Endpoint struct {
	// Address is host:port.
	Address string
	// RootCAs are the PEM certificates that its server certificate is verified
	// against: TLS roots and intermediates of its organization.
	RootCAs [][]byte
}

// EndpointsOf returns the orderers of a channel, sorted: the endpoints of the
// orderer organizations, each with that organization's TLS CAs; if no
// organization has any, the channel's global orderer addresses with the TLS CAs
// of all orderer organizations (spec 5.5).
func EndpointsOf(channel channelconfig.Channel, ord channelconfig.Orderer) []Endpoint {
	var endpoints []Endpoint
	var all [][]byte
	for _, org := range ord.Organizations() {
		var cas [][]byte
		cas = append(cas, org.MSP().TLSRootCerts()...)
		cas = append(cas, org.MSP().TLSIntermediateCerts()...)
		all = append(all, cas...)
		for _, address := range org.Endpoints() {
			endpoints = append(endpoints, Endpoint{Address: address, RootCAs: cas})
		}
	}
	if len(endpoints) == 0 {
		for _, address := range channel.OrdererAddresses() {
			endpoints = append(endpoints, Endpoint{Address: address, RootCAs: all})
		}
	}
	sort.Slice(endpoints, func(i, j int) bool { return endpoints[i].Address < endpoints[j].Address })
	return endpoints
}

func (e Endpoint) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, pem := range e.RootCAs {
		pool.AppendCertsFromPEM(pem)
	}
	return pool
}

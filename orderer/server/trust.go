package server

import (
	"crypto/x509"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/comm"
)

// trust keeps the TLS CAs that the channels' organizations have, for the
// verification of clients and of other orderers. It is safe for concurrent use.
type trust struct {
	log *zap.SugaredLogger
	// fixed CAs of the local configuration, PEM
	clients, cluster [][]byte

	mu        sync.Mutex
	servers   []*comm.TLSConfig // told about clients' CAs
	byChannel map[string]channelCAs
	pool      *x509.CertPool // of orderers
}

type channelCAs struct{ application, orderer [][]byte }

func newTrust(clients, cluster [][]byte, log *zap.SugaredLogger) *trust {
	t := &trust{log: log, clients: clients, cluster: cluster, byChannel: map[string]channelCAs{}}
	t.rebuild()
	return t
}

// follow keeps the client CAs of a server up to date.
func (t *trust) follow(s *comm.TLSConfig) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.servers = append(t.servers, s)
	t.rebuild()
}

// orderers is the pool that other orderers' server certificates are verified
// against. It must not be changed.
func (t *trust) orderers() *x509.CertPool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pool
}

// update takes the CAs of a channel's configuration.
func (t *trust) update(channelID string, config channelconfig.Resources) {
	var cas channelCAs
	if a, ok := config.ApplicationConfig(); ok {
		for _, org := range a.Organizations() {
			cas.application = append(cas.application, tlsCAs(org)...)
		}
	}
	if c, ok := config.ConsortiumsConfig(); ok {
		for _, consortium := range c.Consortiums() {
			for _, org := range consortium.Organizations() {
				cas.application = append(cas.application, tlsCAs(org)...)
			}
		}
	}
	if o, ok := config.OrdererConfig(); ok {
		for _, org := range o.Organizations() {
			cas.orderer = append(cas.orderer, tlsCAs(org)...)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byChannel[channelID] = cas
	t.rebuild()
}

// forget gives up the CAs of a channel that was removed.
func (t *trust) forget(channelID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byChannel, channelID)
	t.rebuild()
}

func tlsCAs(org channelconfig.Org) [][]byte {
	return slices.Concat(org.MSP().TLSRootCerts(), org.MSP().TLSIntermediateCerts())
}

// rebuild makes the pools anew; each CA is parsed once, however many channels
// have it. The caller holds mu.
func (t *trust) rebuild() {
	orderers, all := map[string]bool{}, map[string]bool{}
	add := func(set map[string]bool, pems [][]byte) {
		for _, p := range pems {
			set[string(p)] = true
		}
	}
	add(orderers, t.cluster)
	add(all, t.clients)
	for _, cas := range t.byChannel {
		add(orderers, cas.orderer)
		add(all, cas.orderer)
		add(all, cas.application)
	}
	t.pool = x509.NewCertPool()
	for p := range orderers {
		if !t.pool.AppendCertsFromPEM([]byte(p)) {
			t.log.Warnf("A TLS CA of orderers holds no PEM certificate, it is passed over")
		}
	}
	var pems [][]byte
	for _, p := range slices.Sorted(maps.Keys(all)) {
		pems = append(pems, []byte(p))
	}
	for _, s := range t.servers {
		if err := s.SetClientRootCAs(pems); err != nil {
			t.log.Warnf("TLS CAs of clients: %s", err)
		}
	}
}

package consenters

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// Operation says what an operation on a consenter is about. node is the name of
// an orderer in raftmig.yaml; a consenter to be removed may also be named by the
// host:port that it has in the consenter set. endpoint is the host:port under
// which clients reach it, "" for its cluster host with the port of its address.
func Operation(n *inventory.Network, kind runbook.OperationKind, node, endpoint string) (*runbook.Operation, error) {
	o := &runbook.Operation{Kind: kind, Node: node, Endpoint: endpoint}
	at, err := orderer(n, node)
	if err != nil {
		if kind != runbook.RemoveConsenter {
			return nil, fmt.Errorf("%w: describe it there first", err)
		}
		if _, _, splitErr := net.SplitHostPort(node); splitErr != nil {
			return nil, fmt.Errorf("%w: give the consenter's host:port", err)
		}
		if o.Consenter = node; o.Endpoint == "" {
			o.Endpoint = node
		}
		return o, nil
	}
	host, port := at.Cluster()
	o.Consenter = net.JoinHostPort(host, strconv.Itoa(int(port)))
	switch kind {
	case runbook.RotateCertificates:
		o.Endpoint = ""
		o.ByHand = at.ServerKey == "" || at.ClientKey == ""
		return o, nil
	case runbook.AddConsenter:
		o.ByHand = at.BootstrapFile == ""
		if n.SystemChannel == "" {
			o.ByHand = at.Participation == ""
		}
	}
	if o.Endpoint == "" {
		_, clients, err := net.SplitHostPort(at.Address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", node, err)
		}
		o.Endpoint = net.JoinHostPort(host, clients)
	}
	return o, nil
}

// Files are the new certificates and keys of a node, as absolute paths. Those of
// the client default to those of the server: one certificate for both uses.
func Files(serverCert, serverKey, clientCert, clientKey string) (*runbook.CertificateFiles, error) {
	switch {
	case serverCert == "" || serverKey == "":
		return nil, fmt.Errorf("the new server certificate and its key are needed")
	case (clientCert == "") != (clientKey == ""):
		return nil, fmt.Errorf("a client certificate and its key belong together")
	case clientCert == "":
		clientCert, clientKey = serverCert, serverKey
	}
	f := &runbook.CertificateFiles{}
	for _, p := range []struct {
		to   *string
		path string
	}{{&f.ServerCert, serverCert}, {&f.ServerKey, serverKey}, {&f.ClientCert, clientCert}, {&f.ClientKey, clientKey}} {
		abs, err := filepath.Abs(p.path)
		if err != nil {
			return nil, err
		}
		*p.to = abs
	}
	return f, nil
}

// CheckOptions judges options by themselves as far as that is possible before
// the network is read; those that are not given are taken as Fabric's defaults.
func CheckOptions(o runbook.RaftOptions) error {
	if o == (runbook.RaftOptions{}) {
		return fmt.Errorf("no option is set")
	}
	if o.TickInterval == "" {
		return nil
	}
	d, err := time.ParseDuration(o.TickInterval)
	if err == nil && d <= 0 {
		err = fmt.Errorf("tick interval %s: it must be positive", o.TickInterval)
	}
	return err
}

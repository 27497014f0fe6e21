// Package consenters builds the Raft metadata that goes into every channel,
// from the inventory, and checks it against a channel's organizations with
// Fabric's own rules, which a Kafka orderer does not apply (spec 1.3, rule 11).
package consenters

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
	"raftmig/runbook"
)

// Build returns the metadata: one consenter for each orderer in the order of
// the inventory, certificates as the bytes of their files. Equal inventories
// and files give equal bytes.
func Build(n *inventory.Network) (*runbook.ConsenterMetadata, error) {
	options := n.Raft.WithDefaults()
	md := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{
		TickInterval:         options.TickInterval.String(),
		ElectionTick:         options.ElectionTick,
		HeartbeatTick:        options.HeartbeatTick,
		MaxInflightBlocks:    options.MaxInflightBlocks,
		SnapshotIntervalSize: options.SnapshotIntervalSize,
	}}
	if err := raftmetadata.VerifyRaftOptions(md.Options); err != nil {
		return nil, fmt.Errorf("raft options: %w", err)
	}
	out := &runbook.ConsenterMetadata{Options: runbook.RaftOptions{
		TickInterval:         md.Options.TickInterval,
		ElectionTick:         md.Options.ElectionTick,
		HeartbeatTick:        md.Options.HeartbeatTick,
		MaxInflightBlocks:    md.Options.MaxInflightBlocks,
		SnapshotIntervalSize: md.Options.SnapshotIntervalSize,
	}}
	endpoints := map[string]string{}
	for i := range n.Orderers {
		o := &n.Orderers[i]
		c, shown, err := consenter(o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
		at := net.JoinHostPort(c.Host, fmt.Sprint(c.Port))
		if other, ok := endpoints[at]; ok {
			return nil, fmt.Errorf("%s and %s have the same cluster endpoint %s", other, o.Name, at)
		}
		endpoints[at] = o.Name
		md.Consenters = append(md.Consenters, c)
		out.Consenters = append(out.Consenters, shown)
	}
	if len(md.Consenters) == 0 {
		return nil, errors.New("the inventory has no orderers")
	}
	b, err := protoutil.Marshal(md)
	if err != nil {
		return nil, fmt.Errorf("encoding the Raft metadata: %w", err)
	}
	sum := sha256.Sum256(b)
	out.Bytes, out.Hash = b, hex.EncodeToString(sum[:])
	return out, nil
}

func consenter(o *inventory.Orderer) (*etcdraft.Consenter, runbook.Consenter, error) {
	host, port := o.Cluster()
	if host == "" || port == 0 {
		return nil, runbook.Consenter{}, errors.New("no cluster host and port: set address, or clusterHost and clusterPort")
	}
	server, serverCert, err := readCert(o.ServerCert)
	if err != nil {
		return nil, runbook.Consenter{}, fmt.Errorf("server certificate: %w", err)
	}
	client, clientCert, err := readCert(o.ClientCert)
	if err != nil {
		return nil, runbook.Consenter{}, fmt.Errorf("client certificate: %w", err)
	}
	notAfter := serverCert.NotAfter
	if clientCert.NotAfter.Before(notAfter) {
		notAfter = clientCert.NotAfter
	}
	return &etcdraft.Consenter{Host: host, Port: port, ClientTlsCert: client, ServerTlsCert: server},
		runbook.Consenter{
			Node: o.Name, Host: host, Port: port,
			ClientCert: fingerprint(clientCert), ServerCert: fingerprint(serverCert), NotAfter: notAfter,
		}, nil
}

func readCert(file string) ([]byte, *x509.Certificate, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, nil, fmt.Errorf("%s is not PEM", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, cert, nil
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Verify applies the rules of spec 4.2 to marshalled metadata, with the TLS
// CAs of the channel's orderer organizations.
func Verify(metadata []byte, ord channelconfig.Orderer) error {
	md, err := raftmetadata.Unmarshal(metadata)
	if err != nil {
		return err
	}
	opts, err := raftmetadata.VerifyOptions(ord)
	if err != nil {
		return err
	}
	return raftmetadata.Verify(md, opts)
}

// Untrusted names the nodes of metadata whose certificates do not chain to the
// channel's orderer organizations, each with the reason; in node order.
func Untrusted(md *runbook.ConsenterMetadata, ord channelconfig.Orderer) ([]string, error) {
	config, err := raftmetadata.Unmarshal(md.Bytes)
	if err != nil {
		return nil, err
	}
	opts, err := raftmetadata.VerifyOptions(ord)
	if err != nil {
		return nil, err
	}
	var out []string
	for i, c := range config.Consenters {
		one := &etcdraft.ConfigMetadata{Options: config.Options, Consenters: []*etcdraft.Consenter{c}}
		if err := raftmetadata.Verify(one, opts); err != nil {
			out = append(out, md.Consenters[i].Node+": "+err.Error())
		}
	}
	return out, nil
}

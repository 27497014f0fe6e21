package consenters

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"

	"raftmig/fabricops/inventory"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/raftmetadata"
	"raftmig/runbook"
)

// Next returns the Raft metadata that an operation leads to from what a channel
// has, both marshalled, under the engine's own rules: at most one consenter
// changes, the options are valid. Metadata that is the goal already is returned
// as it is, byte by byte.
func Next(current []byte, o runbook.Operation, n *inventory.Network) ([]byte, error) {
	old, err := raftmetadata.Unmarshal(current)
	if err != nil {
		return nil, err
	}
	next, ok := proto.Clone(old).(*etcdraft.ConfigMetadata)
	if !ok {
		return nil, errors.New("the Raft metadata cannot be copied")
	}
	if err := apply(next, o, n); err != nil {
		return nil, err
	}
	if proto.Equal(old, next) {
		return current, nil
	}
	if err := raftmetadata.VerifyRaftOptions(next.Options); err != nil {
		return nil, fmt.Errorf("raft options: %w", err)
	}
	ids := raftmetadata.MigratedBlockMetadata(old.Consenters) // which IDs they have does not matter here
	byID, err := raftmetadata.Consenters(ids, old)
	if err != nil {
		return nil, err
	}
	if _, err := raftmetadata.MembershipChanges(ids, byID, next.Consenters); err != nil {
		return nil, err
	}
	b, err := protoutil.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("encoding the Raft metadata: %w", err)
	}
	return b, nil
}

func apply(md *etcdraft.ConfigMetadata, o runbook.Operation, n *inventory.Network) error {
	i := slices.IndexFunc(md.Consenters, func(c *etcdraft.Consenter) bool { return address(c) == o.Consenter })
	switch o.Kind {
	case runbook.SetOptions:
		setOptions(md, *o.Options)
		return nil
	case runbook.RemoveConsenter:
		if i >= 0 {
			md.Consenters = slices.Delete(md.Consenters, i, i+1)
		}
		return nil
	case runbook.AddConsenter:
		node, err := orderer(n, o.Node)
		if err != nil {
			return err
		}
		c, _, err := consenter(node)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", o.Node, err)
		case i < 0:
			md.Consenters = append(md.Consenters, c)
		case !proto.Equal(md.Consenters[i], c):
			return fmt.Errorf("%s is a consenter already, with other certificates than raftmig.yaml names (consenter rotate-tls changes them)", o.Consenter)
		}
		return nil
	case runbook.RotateCertificates:
		if i < 0 {
			return fmt.Errorf("%s at %s is no consenter", o.Node, o.Consenter)
		}
		server, _, err := readCert(o.Files.ServerCert)
		if err != nil {
			return fmt.Errorf("new server certificate: %w", err)
		}
		client, _, err := readCert(o.Files.ClientCert)
		if err != nil {
			return fmt.Errorf("new client certificate: %w", err)
		}
		md.Consenters[i].ServerTlsCert, md.Consenters[i].ClientTlsCert = server, client
		return nil
	default:
		return fmt.Errorf("unknown operation %q", o.Kind)
	}
}

func setOptions(md *etcdraft.ConfigMetadata, o runbook.RaftOptions) {
	if md.Options == nil {
		md.Options = &etcdraft.Options{}
	}
	if o.TickInterval != "" {
		md.Options.TickInterval = o.TickInterval
	}
	for _, f := range []struct {
		to   *uint32
		from uint32
	}{
		{&md.Options.ElectionTick, o.ElectionTick},
		{&md.Options.HeartbeatTick, o.HeartbeatTick},
		{&md.Options.MaxInflightBlocks, o.MaxInflightBlocks},
		{&md.Options.SnapshotIntervalSize, o.SnapshotIntervalSize},
	} {
		if f.from != 0 {
			*f.to = f.from
		}
	}
}

func orderer(n *inventory.Network, name string) (*inventory.Orderer, error) {
	for i := range n.Orderers {
		if n.Orderers[i].Name == name {
			return &n.Orderers[i], nil
		}
	}
	return nil, fmt.Errorf("raftmig.yaml has no orderer %s", name)
}

func address(c *etcdraft.Consenter) string {
	return net.JoinHostPort(c.GetHost(), strconv.Itoa(int(c.GetPort())))
}

// Describe shows marshalled metadata: consenters under the names of the
// inventory's orderers that have their cluster host and port, or under their own
// host:port where none has.
func Describe(metadata []byte, n *inventory.Network) (*runbook.ConsenterMetadata, error) {
	md, err := raftmetadata.Unmarshal(metadata)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(metadata)
	out := &runbook.ConsenterMetadata{
		Bytes: metadata, Hash: hex.EncodeToString(sum[:]), Options: runbook.RaftOptions{
			TickInterval: md.Options.GetTickInterval(), ElectionTick: md.Options.GetElectionTick(), HeartbeatTick: md.Options.GetHeartbeatTick(),
			MaxInflightBlocks: md.Options.GetMaxInflightBlocks(), SnapshotIntervalSize: md.Options.GetSnapshotIntervalSize(),
		},
	}
	for _, c := range md.Consenters {
		shown := runbook.Consenter{Node: address(c), Host: c.Host, Port: c.Port}
		for i := range n.Orderers {
			if host, port := n.Orderers[i].Cluster(); host == c.Host && port == c.Port {
				shown.Node = n.Orderers[i].Name
			}
		}
		server, serr := raftmetadata.ParseCertificate(c.ServerTlsCert)
		client, cerr := raftmetadata.ParseCertificate(c.ClientTlsCert)
		if err := errors.Join(serr, cerr); err != nil {
			return nil, fmt.Errorf("%s: %w", shown.Node, err)
		}
		shown.ServerCert, shown.ClientCert, shown.NotAfter = fingerprint(server), fingerprint(client), server.NotAfter
		if client.NotAfter.Before(server.NotAfter) {
			shown.NotAfter = client.NotAfter
		}
		out.Consenters = append(out.Consenters, shown)
	}
	return out, nil
}

// Differences say how next differs from old, one a line.
func Differences(old, next *runbook.ConsenterMetadata) []string {
	var out []string
	say := func(name string, from, to any) {
		if from != to {
			out = append(out, fmt.Sprintf("%s: %v -> %v", name, from, to))
		}
	}
	say("tick interval", old.Options.TickInterval, next.Options.TickInterval)
	say("election tick", old.Options.ElectionTick, next.Options.ElectionTick)
	say("heartbeat tick", old.Options.HeartbeatTick, next.Options.HeartbeatTick)
	say("max inflight blocks", old.Options.MaxInflightBlocks, next.Options.MaxInflightBlocks)
	say("snapshot interval size", old.Options.SnapshotIntervalSize, next.Options.SnapshotIntervalSize)
	find := func(in *runbook.ConsenterMetadata, c runbook.Consenter) *runbook.Consenter {
		for i := range in.Consenters {
			if in.Consenters[i].Host == c.Host && in.Consenters[i].Port == c.Port {
				return &in.Consenters[i]
			}
		}
		return nil
	}
	for _, c := range old.Consenters {
		if find(next, c) == nil {
			out = append(out, fmt.Sprintf("consenter %s (%s:%d) leaves", c.Node, c.Host, c.Port))
		}
	}
	for _, c := range next.Consenters {
		was := find(old, c)
		until := c.NotAfter.UTC().Format("2006-01-02")
		switch {
		case was == nil:
			out = append(out, fmt.Sprintf("consenter %s (%s:%d) joins, its certificates are valid until %s", c.Node, c.Host, c.Port, until))
		case was.ServerCert != c.ServerCert || was.ClientCert != c.ClientCert:
			out = append(out, fmt.Sprintf("consenter %s: server certificate %.12s -> %.12s, client certificate %.12s -> %.12s, valid until %s",
				c.Node, was.ServerCert, c.ServerCert, was.ClientCert, c.ClientCert, until))
		}
	}
	return out
}

// Faults are what is wrong with the certificates and keys that the node of an
// operation is to use, at a time; of operations that bring none there are none.
func Faults(o runbook.Operation, n *inventory.Network, at time.Time) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	node, err := orderer(n, o.Node)
	if err != nil {
		return nil // to be removed, or the options'
	}
	files := runbook.CertificateFiles{ServerCert: node.ServerCert, ServerKey: node.ServerKey, ClientCert: node.ClientCert, ClientKey: node.ClientKey}
	switch o.Kind {
	case runbook.AddConsenter:
	case runbook.RotateCertificates:
		files = *o.Files
	default:
		return nil
	}
	if o.Kind == runbook.RotateCertificates && node.ServerCert == node.ClientCert && !sameContent(files.ServerCert, files.ClientCert) {
		add("raftmig.yaml names one file for its server and its client certificate, and the new ones differ")
	}
	var roots *x509.CertPool
	for _, file := range node.TLSRootCAs {
		certs, err := inventory.ReadCertificates(file)
		if err != nil {
			add("%v", err)
		}
		for _, c := range certs {
			if roots == nil {
				roots = x509.NewCertPool()
			}
			roots.AddCert(c)
		}
	}
	for _, f := range []struct{ what, cert, key string }{{"server", files.ServerCert, files.ServerKey}, {"client", files.ClientCert, files.ClientKey}} {
		certs, err := inventory.ReadCertificates(f.cert)
		if err != nil {
			add("the %s certificate: %v", f.what, err)
			continue
		}
		leaf := certs[0]
		switch {
		case leaf.IsCA:
			add("the %s certificate (%s) is a CA's", f.what, leaf.Subject)
		case at.Before(leaf.NotBefore):
			add("the %s certificate is valid only from %s", f.what, leaf.NotBefore.UTC().Format(time.RFC3339))
		case at.After(leaf.NotAfter):
			add("the %s certificate expired at %s", f.what, leaf.NotAfter.UTC().Format(time.RFC3339))
		}
		if f.key != "" {
			if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
				add("the %s certificate and its key: %v", f.what, err)
			}
		}
		if f.what != "server" {
			continue
		}
		host, _ := node.Cluster()
		if err := leaf.VerifyHostname(host); err != nil {
			add("the server certificate: %v", err)
		}
		inter := x509.NewCertPool()
		for _, c := range certs[1:] {
			inter.AddCert(c)
		}
		if roots != nil && !at.Before(leaf.NotBefore) && !at.After(leaf.NotAfter) {
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				add("the server certificate does not chain to the node's tlsRootCAs in raftmig.yaml: %v", err)
			}
		}
	}
	return out
}

func sameContent(a, b string) bool {
	x, errA := os.ReadFile(a)
	y, errB := os.ReadFile(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// Names reports whether the consenter set of marshalled metadata has the
// consenter at a host:port.
func Names(metadata []byte, hostPort string) bool {
	md, err := raftmetadata.Unmarshal(metadata)
	return err == nil && slices.ContainsFunc(md.Consenters, func(c *etcdraft.Consenter) bool { return address(c) == hostPort })
}

// Certificates returns the certificates, as PEM, that metadata has for the
// consenter at a host:port.
func Certificates(metadata []byte, hostPort string) (server, client []byte, err error) {
	md, err := raftmetadata.Unmarshal(metadata)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range md.Consenters {
		if address(c) == hostPort {
			return bytes.Clone(c.ServerTlsCert), bytes.Clone(c.ClientTlsCert), nil
		}
	}
	return nil, nil, fmt.Errorf("no consenter is at %s", hostPort)
}

// Trusted says why a channel does not take the certificates of the consenter at
// a host:port at this time: chain, use and validity (spec 4.3).
func Trusted(metadata []byte, hostPort string, ord channelconfig.Orderer, at time.Time) error {
	server, client, err := Certificates(metadata, hostPort)
	if err != nil {
		return err
	}
	opts, err := raftmetadata.VerifyOptions(ord)
	if err != nil {
		return err
	}
	opts.CurrentTime = at
	return raftmetadata.VerifyConsenter(&etcdraft.Consenter{ServerTlsCert: server, ClientTlsCert: client}, opts)
}

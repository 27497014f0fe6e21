package facts

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"sort"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/deliver"
	"raftmig/orderer/channelconfig"
	"raftmig/runbook"
)

// channel says what the newest configuration that a node has of a channel says.
func (g *Gatherer) channel(ctx context.Context, state runbook.ChannelState, md *runbook.ConsenterMetadata, mdErr error) runbook.ChannelFacts {
	f := runbook.ChannelFacts{Name: state.Name, System: state.System, Nodes: state.Nodes}
	v, err := g.view(ctx, state)
	if err != nil {
		unknown := "unknown: " + err.Error()
		f.AdminPolicy, f.WritersPolicy = unknown, unknown
		return f
	}
	f.Type, f.State, f.BatchTimeout = v.Type(), v.State(), v.BatchTimeout()
	if f.ChannelCapabilities, err = v.ChannelCapabilities(); err != nil {
		f.ChannelCapabilities = nil // an unreadable list supports nothing
	}
	if f.OrdererCapabilities, err = v.OrdererCapabilities(); err != nil {
		f.OrdererCapabilities = nil
	}
	f.ExpiringCAs = authorities(v.Config.GetChannelGroup())

	bundle, err := channelconfig.NewBundle(v.Channel, v.Config)
	if err != nil {
		refused := "the configuration does not load: " + err.Error()
		f.AdminPolicy, f.WritersPolicy = refused, refused
		f.UntrustedConsenters = []string{refused}
		return f
	}
	f.AdminPolicy = g.judgeAdmins(bundle)
	f.WritersPolicy = g.judgeWriter(bundle)
	ord, ok := bundle.OrdererConfig()
	if !ok {
		f.UntrustedConsenters = []string{"the configuration has no Orderer group"}
		return f
	}
	f.AbsoluteMaxBytes = ord.BatchSize().GetAbsoluteMaxBytes()
	for _, org := range ord.Organizations() {
		f.OrdererMSPs = append(f.OrdererMSPs, org.MSPID())
	}
	sort.Strings(f.OrdererMSPs)
	if f.AdminPolicy != "" {
		f.MissingAdmins = g.missing(bundle, ord)
	}
	if mdErr == nil {
		f.UntrustedConsenters, mdErr = consenters.Untrusted(md, ord)
	}
	if mdErr != nil {
		f.UntrustedConsenters = []string{mdErr.Error()}
	}
	return f
}

// view returns the newest configuration among the nodes that can be read.
func (g *Gatherer) view(ctx context.Context, state runbook.ChannelState) (*channelcfg.View, error) {
	best := -1
	for i, n := range state.Nodes {
		if n.Error == "" && (best < 0 || n.ConfigSequence > state.Nodes[best].ConfigSequence) {
			best = i
		}
	}
	if best < 0 {
		return nil, fmt.Errorf("no node could be read")
	}
	ctx, cancel := context.WithTimeout(ctx, deliver.HeadTimeout)
	defer cancel()
	head, err := g.Deliver.Head(ctx, state.Nodes[best].Node, state.Name, nil)
	if err != nil {
		return nil, err
	}
	return channelcfg.FromBlock(head.Config)
}

// authorities lists the CA certificates of all MSPs in a configuration, each
// once, the one that expires first first.
func authorities(root *cb.ConfigGroup) []runbook.CertFacts {
	seen := map[string]bool{}
	var out []runbook.CertFacts
	var walk func(g *cb.ConfigGroup)
	walk = func(g *cb.ConfigGroup) {
		for _, pems := range caPEMs(g.GetValues()[channelconfig.MSPKey].GetValue()) {
			block, _ := pem.Decode(pems)
			if block == nil {
				continue
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				continue
			}
			if f := CertFacts(cert); !seen[f.Fingerprint] {
				seen[f.Fingerprint] = true
				out = append(out, f)
			}
		}
		for _, sub := range g.GetGroups() {
			walk(sub)
		}
	}
	walk(root)
	sort.Slice(out, func(i, j int) bool {
		if !out[i].NotAfter.Equal(out[j].NotAfter) {
			return out[i].NotAfter.Before(out[j].NotAfter)
		}
		return out[i].Fingerprint < out[j].Fingerprint
	})
	return out
}

func caPEMs(value []byte) [][]byte {
	outer, inner := &mspproto.MSPConfig{}, &mspproto.FabricMSPConfig{}
	if proto.Unmarshal(value, outer) != nil || proto.Unmarshal(outer.Config, inner) != nil {
		return nil
	}
	var all [][]byte
	for _, list := range [][][]byte{inner.RootCerts, inner.IntermediateCerts, inner.TlsRootCerts, inner.TlsIntermediateCerts} {
		all = append(all, list...)
	}
	return all
}

// CertFacts describes a certificate.
func CertFacts(c *x509.Certificate) runbook.CertFacts {
	der, key := sha256.Sum256(c.Raw), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	f := runbook.CertFacts{
		Fingerprint: hex.EncodeToString(der[:]),
		PublicKey:   hex.EncodeToString(key[:]),
		Subject:     c.Subject.String(),
		SANs:        append([]string{}, c.DNSNames...),
		NotBefore:   c.NotBefore,
		NotAfter:    c.NotAfter,
	}
	for _, ip := range c.IPAddresses {
		f.SANs = append(f.SANs, ip.String())
	}
	return f
}

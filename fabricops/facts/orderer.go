package facts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"raftmig/fabricops/backup"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// lookTimeout bounds one look at an address of a node: to connect, and to be
// answered on that connection.
const lookTimeout = dial.ConnectTimeout

// orderer observes one ordering node.
func (g *Gatherer) orderer(ctx context.Context, o *inventory.Orderer) runbook.OrdererFacts {
	f := runbook.OrdererFacts{Node: o.Name, Address: o.Address, TLS: len(o.TLSRootCAs) > 0}
	f.ClusterHost, f.ClusterPort = o.Cluster()
	f.ClientCert, f.ServerCert = certFile(o.ClientCert), certFile(o.ServerCert)
	if err := g.dialTLS(ctx, o, o.Address, &f); err != nil {
		f.Error = err.Error()
	}
	if cluster := net.JoinHostPort(f.ClusterHost, strconv.Itoa(int(f.ClusterPort))); cluster != o.Address {
		served := f.ServedCert
		f.ServedCert = nil
		if err := g.dialTLS(ctx, o, cluster, &f); err != nil && f.ServedCert == nil {
			// Not every cluster address can be reached from here.
			f.ServedCert = served
		}
	}
	f.Version, f.ClockOffset, f.ClockKnown = g.operations(ctx, o)
	if f.Version == "" && g.LogVersion != nil {
		f.Version = g.LogVersion(o.Name)
	}
	if g.LogSetting != nil {
		f.KafkaVersion = g.LogSetting(o.Name, "Kafka.Version")
		f.KafkaTLS = g.LogSetting(o.Name, "Kafka.TLS.Enabled")
		f.KafkaSASL = g.LogSetting(o.Name, "Kafka.SASLPlain.Enabled")
	}
	leftovers, err := backup.RaftState(o)
	if err != nil {
		f.RaftDirs = err.Error()
	}
	f.RaftState = leftovers
	if err := backup.UsableRaftDirs(o); err != nil {
		f.RaftDirs = err.Error()
	}
	return f
}

// dialTLS connects to an address, notes the certificate that is served there,
// and returns why a client that checks it would not go on.
func (g *Gatherer) dialTLS(ctx context.Context, o *inventory.Orderer, address string, f *runbook.OrdererFacts) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	cfg, err := dial.TLSConfig(*o, g.Admins[0].TLS)
	if err != nil {
		return err
	}
	d := &net.Dialer{}
	if cfg == nil {
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(address)
	}
	// Seen first, checked after: a certificate that does not pass is a fact too.
	cfg.InsecureSkipVerify = true
	cfg.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{NetDialer: d, Config: cfg}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	tc, ok := conn.(*tls.Conn)
	if !ok || len(tc.ConnectionState().PeerCertificates) == 0 {
		return fmt.Errorf("%s presents no certificate", address)
	}
	chain := tc.ConnectionState().PeerCertificates
	served := CertFacts(chain[0])
	f.ServedCert = &served
	inter := x509.NewCertPool()
	for _, c := range chain[1:] {
		inter.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: cfg.RootCAs, Intermediates: inter, DNSName: cfg.ServerName})
	return err
}

func certFile(path string) *runbook.CertFacts {
	certs, err := inventory.ReadCertificates(path)
	if err != nil {
		return nil // CheckFiles has said so
	}
	f := CertFacts(certs[0])
	return &f
}

// operations asks the operations endpoint for the version, and takes the
// node's clock from the Date header, which counts whole seconds.
func (g *Gatherer) operations(ctx context.Context, o *inventory.Orderer) (version string, offset time.Duration, known bool) {
	if o.Operations == "" {
		return "", 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	cfg, err := dial.TLSConfig(*o, g.Admins[0].TLS)
	if err != nil {
		return "", 0, false
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	for _, scheme := range []string{"http", "https"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+o.Operations+"/version", nil)
		if err != nil {
			return "", 0, false
		}
		sent := g.Now()
		resp, err := client.Do(req)
		if err != nil {
			continue
		}
		received := g.Now()
		var body struct{ Version string }
		err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&body)
		_ = resp.Body.Close() // read only
		if err == nil && resp.StatusCode == http.StatusOK {
			version = body.Version
		}
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			middle := sent.Add(received.Sub(sent) / 2)
			// Date is cut to the second: the node's clock is half a second on, on average.
			offset, known = date.Add(500*time.Millisecond).Sub(middle).Round(time.Second), true
		}
		if version != "" {
			return version, offset, known
		}
	}
	return version, offset, known
}

package kafkaops_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/kafkaops"
)

// selfSigned makes a certificate for a name, and the pool that trusts it.
func selfSigned(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// tlsServer accepts TLS and then says nothing sensible.
func tlsServer(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func TestListenersTellWhyTheyLetNobodyIn(t *testing.T) {
	good, pool := selfSigned(t, "127.0.0.1")
	other, _ := selfSigned(t, "127.0.0.1")
	named, _ := selfSigned(t, "kafka0.example.com")
	silent, stranger, wrongName := tlsServer(t, good), tlsServer(t, other), tlsServer(t, named)
	plain := zooKeeper(t, "")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())

	c := &kafkaops.Cluster{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	got := c.Listeners(t.Context(), []string{silent, stranger, wrongName, plain, gone.Addr().String(), silent})
	require.Len(t, got, 5)
	require.Error(t, got[0].Err, "it is no broker")
	require.Equal(t, "127.0.0.1", got[0].Cert.Subject.CommonName)
	require.ErrorContains(t, got[1].Err, "certificate signed by unknown authority")
	require.NotNil(t, got[1].Cert, "what does not pass is told")
	require.Error(t, got[2].Err)
	require.Equal(t, "kafka0.example.com", got[2].Cert.Subject.CommonName)
	require.Error(t, got[3].Err)
	require.Nil(t, got[3].Cert)
	require.True(t, got[4].Unreachable)
	require.NoError(t, got[4].Err)

	c = topics(t, nil)
	got = c.Listeners(t.Context(), c.Brokers)
	require.Len(t, got, 4)
	require.NoError(t, got[3].Err)
}

package comm

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"raftmig/orderer/metrics"
	"raftmig/orderer/metrics/prom"
	"raftmig/orderer/protoutil"
)

// echo answers every envelope that it receives as bytes with a block in parts.
var echo = grpc.ServiceDesc{
	ServiceName: "orderer.AtomicBroadcast",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Deliver", ServerStreams: true, ClientStreams: true, Handler: func(srv any, s grpc.ServerStream) error {
		for {
			var r Received
			if err := s.RecvMsg(&r); err != nil {
				if err == io.EOF {
					return nil
				}
				return err
			}
			if string(r.Bytes) == "" {
				panic("an empty message")
			}
			srv.(chan []byte) <- bytes.Clone(r.Bytes)
			block := protoutil.MustMarshal(&cb.Block{Header: &cb.BlockHeader{Number: 7}})
			if err := s.SendMsg(Parts{[]byte{0x12, byte(len(block))}, block}); err != nil {
				return err
			}
			if err := s.SendMsg(&ab.DeliverResponse{Type: &ab.DeliverResponse_Status{Status: cb.Status_SUCCESS}}); err != nil {
				return err
			}
		}
	}}},
}

// serve runs a server and returns its address and what it received.
func serve(t *testing.T, o ServerOptions) (string, chan []byte) {
	o.Logger = zap.NewNop().Sugar()
	if o.Metrics == nil {
		o.Metrics = NewMetrics(metrics.Disabled{})
	}
	if o.MaxRecvMsgSize == 0 {
		o.MaxRecvMsgSize, o.MaxSendMsgSize = 1<<20, 1<<20
	}
	s := NewServer(o)
	received := make(chan []byte, 10)
	s.RegisterService(&echo, received)
	l, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String(), received
}

func deliverStream(t *testing.T, address string, creds credentials.TransportCredentials) ab.AtomicBroadcast_DeliverClient {
	s, err := tryDeliver(t, address, creds)
	require.NoError(t, err)
	return s
}

func tryDeliver(t *testing.T, address string, creds credentials.TransportCredentials) (ab.AtomicBroadcast_DeliverClient, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ab.NewAtomicBroadcastClient(conn).Deliver(ctx)
}

func TestBytesGoThroughTheCodecUntouched(t *testing.T) {
	p := prom.New()
	address, received := serve(t, ServerOptions{Metrics: NewMetrics(p)})
	s := deliverStream(t, address, insecure.NewCredentials())
	env := &cb.Envelope{Payload: bytes.Repeat([]byte("p"), 100_000), Signature: []byte("s")}
	for range 2 {
		require.NoError(t, s.Send(env))
		require.Equal(t, protoutil.MustMarshal(env), <-received)
		r, err := s.Recv()
		require.NoError(t, err)
		require.Equal(t, uint64(7), r.GetBlock().GetHeader().GetNumber())
		r, err = s.Recv()
		require.NoError(t, err)
		require.Equal(t, cb.Status_SUCCESS, r.GetStatus())
	}
	require.NoError(t, s.CloseSend())
	_, err := s.Recv()
	require.ErrorIs(t, err, io.EOF)
}

func TestAMessageThatIsTooLargeIsRefused(t *testing.T) {
	address, _ := serve(t, ServerOptions{MaxRecvMsgSize: 1000, MaxSendMsgSize: 1000})
	s := deliverStream(t, address, insecure.NewCredentials())
	require.NoError(t, s.Send(&cb.Envelope{Payload: make([]byte, 2000)}))
	_, err := s.Recv()
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
}

func TestAPanicEndsTheCallOnly(t *testing.T) {
	address, received := serve(t, ServerOptions{})
	s := deliverStream(t, address, insecure.NewCredentials())
	require.NoError(t, s.Send(&cb.Envelope{}))
	_, err := s.Recv()
	require.Equal(t, codes.Internal, status.Code(err))
	s = deliverStream(t, address, insecure.NewCredentials())
	require.NoError(t, s.Send(&cb.Envelope{Payload: []byte("x")}))
	<-received
}

// authority is a CA with a serial number for each certificate.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

var serial atomic.Int64

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a *authority) issue(t *testing.T) (certPEM, keyPEM []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: "leaf"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	k, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})
}

func TestTLS(t *testing.T) {
	server, known, stranger := newAuthority(t), newAuthority(t), newAuthority(t)
	cert, key := server.issue(t)
	client := func(a *authority) credentials.TransportCredentials {
		c := &tls.Config{RootCAs: x509.NewCertPool()}
		c.RootCAs.AddCert(server.cert)
		if a != nil {
			pair, err := tls.X509KeyPair(a.issue(t))
			require.NoError(t, err)
			c.Certificates = []tls.Certificate{pair}
		}
		return credentials.NewTLS(c)
	}
	for _, test := range []struct {
		name   string
		auth   ClientAuth
		client *authority
		ok     bool
	}{
		{"nothing asked, none sent", NoClientCert, nil, true},
		{"requested, none sent", RequestClientCert, nil, true},
		{"requested, any is taken", RequestClientCert, stranger, true},
		{"required, none sent", RequireClientCert, nil, false},
		{"required, unknown", RequireClientCert, stranger, false},
		{"required, known", RequireClientCert, known, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := NewTLSConfig(TLSOptions{Certificate: cert, Key: key, ClientAuth: test.auth, ClientRootCAs: [][]byte{known.pem}})
			require.NoError(t, err)
			address, _ := serve(t, ServerOptions{TLS: c})
			s, err := tryDeliver(t, address, client(test.client))
			if err == nil {
				_ = s.Send(&cb.Envelope{Payload: []byte("x")}) // the answer tells
				_, err = s.Recv()
			}
			require.Equal(t, test.ok, err == nil, "%v", err)
		})
	}

	t.Run("client CAs may change", func(t *testing.T) {
		c, err := NewTLSConfig(TLSOptions{Certificate: cert, Key: key, ClientAuth: RequireClientCert})
		require.NoError(t, err)
		address, _ := serve(t, ServerOptions{TLS: c})
		require.NoError(t, c.SetClientRootCAs([][]byte{known.pem}))
		s := deliverStream(t, address, client(known))
		require.NoError(t, s.Send(&cb.Envelope{Payload: []byte("x")}))
		_, err = s.Recv()
		require.NoError(t, err)
		require.ErrorContains(t, c.SetClientRootCAs([][]byte{[]byte("x")}), "client root CA 0 holds no PEM certificate")
	})

	_, err := NewTLSConfig(TLSOptions{Certificate: cert, Key: cert})
	require.ErrorContains(t, err, "loading the server's TLS certificate and key: ")
}

func TestClientsAreKnownByAddressAndCertificate(t *testing.T) {
	require.Empty(t, RemoteAddress(t.Context()))
	require.Nil(t, ClientCertificate(t.Context()))
}

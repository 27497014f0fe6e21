package comm

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
)

// ServerOptions configure a gRPC server. Sizes are in bytes.
type ServerOptions struct {
	TLS               *TLSConfig // nil: no TLS
	Keepalive         Keepalive
	ConnectionTimeout time.Duration // 0 means 5s
	MaxRecvMsgSize    int
	MaxSendMsgSize    int
	Metrics           *Metrics
	Logger            *zap.SugaredLogger // "comm.grpc.server"
}

// Keepalive of a server; zero values mean gRPC's own, a MinInterval of zero
// means one minute (spec 8.2).
type Keepalive struct{ MinInterval, Interval, Timeout time.Duration }

// defaultConnectionTimeout bounds the handshakes of a new connection.
const defaultConnectionTimeout = 5 * time.Second

// NewServer returns a gRPC server with Codec.
func NewServer(o ServerOptions) *grpc.Server {
	if o.ConnectionTimeout <= 0 {
		o.ConnectionTimeout = defaultConnectionTimeout
	}
	if o.Keepalive.MinInterval <= 0 {
		o.Keepalive.MinInterval = time.Minute
	}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(Codec()),
		grpc.MaxRecvMsgSize(o.MaxRecvMsgSize),
		grpc.MaxSendMsgSize(o.MaxSendMsgSize),
		grpc.ConnectionTimeout(o.ConnectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: o.Keepalive.Interval, Timeout: o.Keepalive.Timeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: o.Keepalive.MinInterval, PermitWithoutStream: true,
		}),
		grpc.StreamInterceptor(o.Metrics.stream(o.Logger)),
		grpc.UnaryInterceptor(o.Metrics.unary(o.Logger)),
		grpc.StatsHandler(o.Metrics.connections()),
	}
	if o.TLS != nil {
		options = append(options, grpc.Creds(o.TLS.Credentials()))
	}
	return grpc.NewServer(options...)
}

// Listen opens the TCP listener of a gRPC server.
func Listen(address string) (net.Listener, error) { return net.Listen("tcp", address) }

// RemoteAddress returns the address of a stream's client, or "".
func RemoteAddress(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}

// ClientCertificate returns the certificate that a stream's client showed and
// proved to hold, or nil.
func ClientCertificate(ctx context.Context) *x509.Certificate {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return nil
	}
	return info.State.PeerCertificates[0]
}

package cluster

import (
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"raftmig/orderer/comm"
	"raftmig/orderer/metrics"
)

// Defaults of General.Cluster (spec 8.2) and of the connections (spec 5.3).
const (
	DefaultDialTimeout                    = 5 * time.Second
	DefaultRPCTimeout                     = 7 * time.Second
	DefaultSendBufferSize                 = 100
	DefaultCertExpirationWarningThreshold = 168 * time.Hour
	// ExpirationWarningInterval is the least time between two warnings about
	// one certificate.
	ExpirationWarningInterval = 5 * time.Minute

	maxMessageSize    = 100 << 20
	keepaliveInterval = time.Minute
	keepaliveTimeout  = 20 * time.Second
)

// Config is what NewComm needs. Zero durations and sizes mean the defaults.
type Config struct {
	TLS ClientTLS
	// DialTimeout limits one connection attempt; attempts repeat for as long as
	// the node is a consenter of a channel.
	DialTimeout time.Duration
	// RPCTimeout limits the writing of one message.
	RPCTimeout time.Duration
	// SendBufferSize is the number of messages that wait on one stream.
	SendBufferSize int
	// CertExpirationWarningThreshold is how long before its end a certificate
	// in use is warned about.
	CertExpirationWarningThreshold time.Duration
	// Metrics may be nil; Logger is named orderer.common.cluster.
	Metrics metrics.Provider
	Logger  *zap.SugaredLogger
}

func (c Config) withDefaults() Config {
	setDefault(&c.DialTimeout, DefaultDialTimeout)
	setDefault(&c.RPCTimeout, DefaultRPCTimeout)
	setDefault(&c.SendBufferSize, DefaultSendBufferSize)
	setDefault(&c.CertExpirationWarningThreshold, DefaultCertExpirationWarningThreshold)
	if c.Metrics == nil {
		c.Metrics = metrics.Disabled{}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop().Sugar()
	}
	return c
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// dial makes a connection that connects in the background and again and again.
func dial(endpoint string, creds credentials.TransportCredentials, timeout time.Duration) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(creds),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: timeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveInterval, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageSize),
			grpc.MaxCallSendMsgSize(maxMessageSize),
			grpc.ForceCodecV2(comm.Codec()),
		),
	)
	if err != nil {
		return nil, err
	}
	conn.Connect()
	return conn, nil
}

package cluster

import (
	"errors"
	"time"

	"go.uber.org/zap"
)

// Defaults of the replication keys of General.Cluster (spec 8.2).
const (
	DefaultReplicationBufferSize   = 20 << 20
	DefaultReplicationPullTimeout  = 5 * time.Second
	DefaultReplicationRetryTimeout = 5 * time.Second
	DefaultReplicationMaxRetries   = 12
)

// PullerConfig is what NewPullerFactory needs. Zero values mean the defaults.
type PullerConfig struct {
	TLS ClientTLS
	// DialTimeout limits a connection attempt, PullTimeout the wait for a block.
	DialTimeout, PullTimeout time.Duration
	// RetryTimeout is the pause after a failed attempt.
	RetryTimeout time.Duration
	// BufferSize is how many bytes of blocks are verified together.
	BufferSize int
	// Logger is named orderer.common.cluster.puller.
	Logger *zap.SugaredLogger
}

func (c PullerConfig) withDefaults() PullerConfig {
	setDefault(&c.DialTimeout, DefaultDialTimeout)
	setDefault(&c.PullTimeout, DefaultReplicationPullTimeout)
	setDefault(&c.RetryTimeout, DefaultReplicationRetryTimeout)
	setDefault(&c.BufferSize, DefaultReplicationBufferSize)
	if c.Logger == nil {
		c.Logger = zap.NewNop().Sugar()
	}
	return c
}

// PullerFactory makes block pullers for channels.
type PullerFactory struct {
	cfg  PullerConfig
	slow slowEndpoints
}

// NewPullerFactory returns a factory; it opens nothing.
func NewPullerFactory(cfg PullerConfig) *PullerFactory {
	return &PullerFactory{cfg: cfg.withDefaults()}
}

// Errors of pulling that callers tell apart with errors.Is (spec 5.5).
var (
	// ErrForbidden: an orderer does not serve the channel to this node.
	ErrForbidden = errors.New("forbidden pulling the channel")
	// ErrServiceUnavailable: an orderer cannot serve the channel now.
	ErrServiceUnavailable = errors.New("service unavailable")
)

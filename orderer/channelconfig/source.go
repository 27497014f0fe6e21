package channelconfig

import (
	"sync/atomic"

	"raftmig/orderer/configtx"
	"raftmig/orderer/msp"
	"raftmig/orderer/policies"
)

// BundleSource is the current configuration of a running channel. Its methods
// may be called from any goroutine and each answers from the bundle that is
// current at that moment; who needs several answers from the same
// configuration takes StableBundle.
type BundleSource struct {
	bundle    atomic.Pointer[Bundle]
	callbacks []func(*Bundle)
}

var _ Resources = (*BundleSource)(nil)

// NewBundleSource returns a source that begins with b. The callbacks run in
// the goroutine that calls Update, after the bundle has become current, and
// once before NewBundleSource returns.
func NewBundleSource(b *Bundle, callbacks ...func(*Bundle)) *BundleSource {
	s := &BundleSource{callbacks: callbacks}
	s.Update(b)
	return s
}

// Update makes b the current bundle. Calls must not overlap.
func (s *BundleSource) Update(b *Bundle) {
	s.bundle.Store(b)
	for _, call := range s.callbacks {
		call(b)
	}
}

// StableBundle returns the current bundle.
func (s *BundleSource) StableBundle() *Bundle { return s.bundle.Load() }

// ConfigtxValidator judges updates of the current configuration.
func (s *BundleSource) ConfigtxValidator() configtx.Validator {
	return s.StableBundle().ConfigtxValidator()
}

// PolicyManager finds the current policies.
func (s *BundleSource) PolicyManager() policies.Manager { return s.StableBundle().PolicyManager() }

// MSPManager holds the current MSPs.
func (s *BundleSource) MSPManager() msp.Manager { return s.StableBundle().MSPManager() }

// ChannelConfig returns the current channel-level values.
func (s *BundleSource) ChannelConfig() Channel { return s.StableBundle().ChannelConfig() }

// OrdererConfig returns the current Orderer group, if there is one.
func (s *BundleSource) OrdererConfig() (Orderer, bool) { return s.StableBundle().OrdererConfig() }

// ApplicationConfig returns the current Application group, if there is one.
func (s *BundleSource) ApplicationConfig() (Application, bool) {
	return s.StableBundle().ApplicationConfig()
}

// ConsortiumsConfig returns the current Consortiums group, if there is one.
func (s *BundleSource) ConsortiumsConfig() (Consortiums, bool) {
	return s.StableBundle().ConsortiumsConfig()
}

// ValidateNew returns an error if next may not follow the current configuration.
func (s *BundleSource) ValidateNew(next Resources) error { return s.StableBundle().ValidateNew(next) }

package channelconfig

import (
	"crypto/sha256"
	"sync"

	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/msp"
)

// sharedMSPLimit bounds the MSPs that a factory remembers.
const sharedMSPLimit = 1000

// Factory makes bundles as NewBundle does, and lets them share MSPs: an
// organization's definition that stands in a hundred channels is set up once,
// an identity that signs on all of them is validated once, and both outlive
// an update that leaves the organization as it is. Two definitions are the
// same if their bytes and the MSP version are. Safe for concurrent use.
type Factory struct {
	mu   sync.Mutex
	msps map[mspKey]msp.MSP
}

type mspKey struct {
	version msp.Version
	kind    int32
	config  [sha256.Size]byte
}

// NewFactory returns a factory without any MSPs.
func NewFactory() *Factory { return &Factory{msps: map[mspKey]msp.MSP{}} }

// NewBundle is the function NewBundle with shared MSPs.
func (f *Factory) NewBundle(channelID string, config *cb.Config) (*Bundle, error) {
	return newBundle(channelID, config, f.newMSP)
}

// NewBundleFromEnvelope is the function NewBundleFromEnvelope with shared MSPs.
func (f *Factory) NewBundleFromEnvelope(env *cb.Envelope) (*Bundle, error) {
	return newBundleFromEnvelope(env, f.newMSP)
}

func (f *Factory) newMSP(version msp.Version, conf *mspproto.MSPConfig) (msp.MSP, error) {
	key := mspKey{version, conf.GetType(), sha256.Sum256(conf.GetConfig())}
	f.mu.Lock()
	m, ok := f.msps[key]
	f.mu.Unlock()
	if ok {
		return m, nil
	}
	m, err := msp.New(version, conf)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if other, ok := f.msps[key]; ok {
		return other, nil
	}
	if len(f.msps) >= sharedMSPLimit {
		clear(f.msps) // bundles keep the MSPs that they have
	}
	f.msps[key] = m
	return m, nil
}

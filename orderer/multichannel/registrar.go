// Package multichannel holds the channels of an orderer: the registrar that
// finds, makes and starts them, the chain support that ties a channel's
// ledger, configuration, processor and consenter together, and the block
// writer (spec 7.3, 7.7, appendix D).
//
// A failure after which a channel could write a wrong block, or none, is fatal
// for the process, as in Fabric. Nothing panics: the registrar logs Fabric's
// text, calls Options.Fatal once per failure and keeps the goroutine that
// failed from going on until Halt.
package multichannel

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/flogging"
	"raftmig/orderer/follower"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// Options are what a registrar is made of.
type Options struct {
	Ledgers blockledger.Factory
	Signer  protoutil.Signer
	// Processing is handed to the message processors.
	Processing msgprocessor.Options
	// CutterMetrics are the block cutters' metrics.
	CutterMetrics *blockcutter.Metrics
	// OnConfig is called with a channel's configuration when the channel is
	// made and whenever the configuration changes, before the block that carries
	// it is written. It may be nil.
	OnConfig func(channelID string, config channelconfig.Resources)
	// Participation is what a registrar needs to join, follow and remove
	// channels.
	Participation Participation
	// Fatal is told why the process cannot go on. It must return.
	Fatal func(error)
	// Logger is named "orderer.commmon.multichannel".
	Logger *zap.SugaredLogger
}

// Registrar holds the channels. It is safe for concurrent use.
type Registrar struct {
	options    Options
	consenters map[string]consensus.Consenter
	released   chan struct{} // closed by Halt: failed writers may return
	release    sync.Once

	metrics *participationMetrics

	creating sync.Mutex // one channel is made, replaced or removed at a time
	halting  bool       // guarded by creating; channels are not joined, removed, switched or made anew any more

	mu        sync.RWMutex
	chains    map[string]*ChainSupport
	followers map[string]*follower.Chain
	removals  map[string]types.ChannelInfo // under way, or failed
	opened    map[string]*resources
	system    *ChainSupport
}

// NewRegistrar returns a registrar without channels.
func NewRegistrar(o Options) *Registrar {
	return &Registrar{
		options: o, released: make(chan struct{}), metrics: newParticipationMetrics(o.Participation.Metrics),
		chains: map[string]*ChainSupport{}, followers: map[string]*follower.Chain{}, removals: map[string]types.ChannelInfo{}, opened: map[string]*resources{},
	}
}

// startable is a chain support or a follower that was built.
type startable interface{ start() }

// Initialize makes the chains of all ledgers and starts them, the system
// channel's last. An error is fatal for the process.
func (r *Registrar) Initialize(consenters map[string]consensus.Consenter) error {
	r.creating.Lock()
	defer r.creating.Unlock()
	r.consenters = consenters
	return r.buildAndStart()
}

func (r *Registrar) buildAndStart() error {
	built, err := r.buildAll()
	if err != nil {
		return err
	}
	if r.SystemChannel() == nil {
		r.mu.RLock()
		r.options.Logger.Infof("Registrar initializing without a system channel, number of application channels: %d, with %d consensus.Chain(s) and %d follower.Chain(s)",
			len(built), len(r.chains), len(r.followers))
		r.mu.RUnlock()
	}
	for _, c := range built {
		c.start()
	}
	return nil
}

// buildAll makes the chains and followers in the order in which they are started.
func (r *Registrar) buildAll() ([]startable, error) {
	apps, system, err := r.openAll()
	if err != nil {
		return nil, err
	}
	if system == nil {
		return r.buildApplicationChannels(apps)
	}
	last, err := r.buildSystem(system)
	if err != nil {
		return nil, err
	}
	var built []startable
	for _, res := range apps {
		c, err := r.newChainSupport(res)
		if err != nil {
			return nil, fmt.Errorf("Failed to create chain support for channel '%s', error: %w", res.channelID, err) //nolint:staticcheck // Fabric's text
		}
		r.add(c)
		built = append(built, c)
	}
	return append(built, last), nil
}

// openAll opens the ledgers that are not empty.
func (r *Registrar) openAll() (apps []*resources, system *resources, err error) {
	ids, err := r.options.Ledgers.ChannelIDs()
	if err != nil {
		return nil, nil, fmt.Errorf("Error creating ledger resources: %w", err) //nolint:staticcheck // Fabric's text
	}
	for _, id := range ids {
		if r.beingRemoved(id) { // half of it may be gone
			continue
		}
		res, err := r.openExisting(id)
		if err != nil {
			return nil, nil, fmt.Errorf("Error creating ledger resources: %w", err) //nolint:staticcheck // Fabric's text
		}
		if res == nil {
			continue
		}
		if _, ok := res.current().ConsortiumsConfig(); !ok {
			apps = append(apps, res)
			continue
		}
		if system != nil {
			return nil, nil, fmt.Errorf("There appear to be two system channels %s and %s", system.channelID, res.channelID) //nolint:staticcheck // Fabric's text
		}
		system = res
	}
	return apps, system, nil
}

func (r *Registrar) beingRemoved(channelID string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.removals[channelID]
	return ok
}

func (r *Registrar) buildSystem(res *resources) (*ChainSupport, error) {
	c, err := r.newChainSupport(res)
	if err != nil {
		return nil, fmt.Errorf("Error creating chain support: %w", err) //nolint:staticcheck // Fabric's text
	}
	genesis, err := res.ledger.BlockByNumber(0)
	if err != nil {
		return nil, fmt.Errorf("Error reading genesis block of system channel '%s': %w", res.channelID, err) //nolint:staticcheck // Fabric's text
	}
	r.options.Logger.Infof("Starting system channel '%s' with genesis block hash %x and orderer type %s",
		res.channelID, protoutil.BlockHeaderHash(genesis.Block.Header), c.SharedConfig().ConsensusType())
	r.makeSystem(c)
	r.add(c)
	return c, nil
}

// makeSystem gives a channel the system channel's processor and place.
func (r *Registrar) makeSystem(c *ChainSupport) {
	c.Processor = msgprocessor.NewSystemChannel(c, r.options.Processing)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.system = c
}

func (r *Registrar) add(c *ChainSupport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chains[c.ChannelID()] = c
}

// Chain returns a channel, or nil if there is none of that name.
func (r *Registrar) Chain(channelID string) *ChainSupport {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.chains[channelID]
}

// SystemChannel returns the system channel, or nil if there is none.
func (r *Registrar) SystemChannel() *ChainSupport {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.system
}

// ChannelsCount is the number of channels including the system channel and
// those that are followed.
func (r *Registrar) ChannelsCount() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.chains) + len(r.followers)
}

// ChannelIDs lists the channels but for those that are followed, sorted.
func (r *Registrar) ChannelIDs() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	ids := make([]string, 0, len(r.chains))
	for id := range r.chains {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Errors of Route.
var (
	errNoSystemChannel = errors.New("channel creation request not allowed because the orderer system channel is not defined")
	errHeaderNotSet    = errors.New("header not set")
	errNotDirectly     = errors.New("message is of type that cannot be processed directly")
)

// Route finds the channel that processes a message: its own or, if there is
// none of that name, the system channel (spec 6.2). Every error is a
// BAD_REQUEST; the header is nil if it could not be read.
func (r *Registrar) Route(msg *protoutil.Message) (h *cb.ChannelHeader, isConfig bool, c *ChainSupport, err error) {
	h, err = msg.ChannelHeader()
	if errors.Is(err, protoutil.ErrNoHeader) {
		err = errHeaderNotSet
	}
	if err != nil {
		return nil, false, nil, fmt.Errorf("could not determine channel ID: %w", err)
	}
	if c = r.Chain(h.ChannelId); c == nil {
		if c = r.SystemChannel(); c == nil {
			return h, false, nil, errNoSystemChannel
		}
	}
	switch c.ClassifyMsg(h) {
	case msgprocessor.ConfigUpdateMsg:
		return h, true, c, nil
	case msgprocessor.ConfigMsg:
		return h, false, nil, errNotDirectly
	}
	return h, false, c, nil
}

// Halt stops all chains and waits until what they wrote is stored, at most
// for patience. It is called once the listeners are closed.
func (r *Registrar) Halt(patience time.Duration) error {
	r.release.Do(func() { close(r.released) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.haltAll()
	}()
	select {
	case <-done:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("not all chains halted within %v", patience)
	}
}

// haltAll halts all chains and followers at once, and then the chains that came
// into being meanwhile: a channel's creation may be under way.
func (r *Registrar) haltAll() {
	halted := map[*ChainSupport]bool{}
	for {
		var wg sync.WaitGroup
		r.creating.Lock()
		r.halting = true
		r.mu.RLock()
		for _, c := range r.chains {
			if !halted[c] {
				halted[c] = true
				wg.Go(c.halt)
			}
		}
		for _, f := range r.followers {
			wg.Go(f.Halt)
		}
		found := len(halted)
		r.mu.RUnlock()
		r.creating.Unlock()
		wg.Wait()
		r.mu.RLock()
		same := len(r.chains) == found
		r.mu.RUnlock()
		if same {
			return
		}
	}
}

// fail reports a fatal failure and returns only when the registrar is halted.
func (r *Registrar) fail(format string, args ...any) {
	r.options.Fatal(flogging.Panicf(r.options.Logger, format, args...))
	<-r.released
}

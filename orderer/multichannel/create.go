package multichannel

import (
	"errors"
	"fmt"
	"sync/atomic"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// resources are a channel's ledger and current configuration.
type resources struct {
	channelID string
	ledger    blockledger.ReadWriter
	config    atomic.Pointer[channelconfig.Resources]
}

func (r *resources) current() channelconfig.Resources { return *r.config.Load() }

// openExisting returns the resources of a ledger found at start, or nil if it
// is empty: then the node stopped while it made the channel, and the system
// channel's block, which is written afterwards, makes it again.
func (r *Registrar) openExisting(channelID string) (*resources, error) {
	ledger, err := r.options.Ledgers.GetOrCreate(channelID)
	if err != nil {
		return nil, fmt.Errorf("error getting ledger for channel: %s: %w", channelID, err)
	}
	if ledger.Height() == 0 {
		r.options.Logger.Warnf("Channel %s has an empty ledger, it is left alone", channelID)
		return nil, nil
	}
	block, err := blockledger.LastConfigBlock(ledger)
	if err != nil {
		return nil, fmt.Errorf("finding the configuration of channel %s: %w", channelID, err)
	}
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, fmt.Errorf("config block [%d] of channel %s: %w", block.Header.Number, channelID, err)
	}
	return r.open(env, ledger)
}

// bundleOf gives a configuration its meaning and checks that this engine can
// service it.
func (r *Registrar) bundleOf(configTx *cb.Envelope) (channelID string, bundle channelconfig.Resources, err error) {
	h, err := protoutil.ChannelHeader(configTx)
	if err != nil {
		return "", nil, err
	}
	c, err := protoutil.ConfigEnvelope(configTx)
	if err != nil {
		return "", nil, fmt.Errorf("error unmarshalling config envelope from payload data: %w", err)
	}
	if bundle, err = r.options.Processing.NewBundle(h.ChannelId, c.Config); err != nil {
		return "", nil, fmt.Errorf("error creating channelconfig bundle: %w", err)
	}
	if err := check(bundle); err != nil {
		return "", nil, fmt.Errorf("error checking bundle for channel: %s: %w", h.ChannelId, err)
	}
	return h.ChannelId, bundle, nil
}

// open returns a channel with the configuration given. A nil ledger is opened,
// or made, by the name in the configuration. A channel whose chain or follower
// is replaced keeps its resources: who reads from the old one is judged by the
// configuration that the new one brings.
func (r *Registrar) open(configTx *cb.Envelope, ledger blockledger.ReadWriter) (*resources, error) {
	channelID, bundle, err := r.bundleOf(configTx)
	if err != nil {
		return nil, err
	}
	if ledger == nil {
		if ledger, err = r.options.Ledgers.GetOrCreate(channelID); err != nil {
			return nil, fmt.Errorf("error getting ledger for channel: %s: %w", channelID, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	res := r.opened[channelID]
	if res == nil || res.ledger != ledger {
		res = &resources{channelID: channelID, ledger: ledger}
		r.opened[channelID] = res
	}
	res.config.Store(&bundle)
	return res, nil
}

// check refuses a configuration without orderers or with capabilities that
// this engine does not have (spec 7.4).
func check(config channelconfig.Resources) error {
	o, ok := config.OrdererConfig()
	if !ok {
		return errors.New("config does not contain orderer config")
	}
	if err := o.Capabilities().Supported(); err != nil {
		return fmt.Errorf("config requires unsupported orderer capabilities: %w", err)
	}
	if err := config.ChannelConfig().Capabilities().Supported(); err != nil {
		return fmt.Errorf("config requires unsupported channel capabilities: %w", err)
	}
	return nil
}

// CreateChain makes and starts the chain of a channel anew from its ledger. A
// chain that is running is halted first. A consenter calls it for a channel
// that this node has come to service.
func (r *Registrar) CreateChain(channelID string) error {
	r.creating.Lock()
	defer r.creating.Unlock()
	if r.halting {
		return errStopping
	}
	if r.SystemChannel() == nil {
		return errors.New("there is no system channel (any more)")
	}
	if c := r.Chain(channelID); c != nil {
		r.options.Logger.Infof("A chain of type %T for channel %s already exists. Halting it.", c.chain, channelID)
		c.halt()
	}
	res, err := r.openExisting(channelID)
	if err == nil && res == nil {
		err = errors.New("its ledger is empty")
	}
	if err != nil {
		return fmt.Errorf("creating chain of channel %s: %w", channelID, err)
	}
	return r.startNew(res)
}

// newChannel makes the channel whose first configuration is configTx. A
// channel that exists is left alone: the node stopped after it had made the
// channel and before it had written the system channel's block.
func (r *Registrar) newChannel(configTx *protoutil.Message) error {
	r.creating.Lock()
	defer r.creating.Unlock()
	h, err := protoutil.ChannelHeader(configTx.Envelope)
	if err != nil {
		return err
	}
	if r.Chain(h.ChannelId) != nil {
		r.options.Logger.Infof("Channel %s already created, skipping its creation", h.ChannelId)
		return nil
	}
	res, err := r.open(configTx.Envelope, nil)
	if err != nil {
		return fmt.Errorf("Error creating ledger resources: %w", err) //nolint:staticcheck // Fabric's text
	}
	if res.ledger.Height() == 0 {
		genesis := protoutil.NewBlockOf(0, nil, []*protoutil.Message{configTx})
		if err := res.ledger.Append(genesis); err != nil {
			return fmt.Errorf("Error appending genesis block to ledger: %w", err) //nolint:staticcheck // Fabric's text
		}
	}
	return r.startNew(res)
}

func (r *Registrar) startNew(res *resources) error {
	c, err := r.newChainSupport(res)
	if err != nil {
		return fmt.Errorf("Error creating chain support: %w", err) //nolint:staticcheck // Fabric's text
	}
	if _, ok := res.current().ConsortiumsConfig(); ok {
		r.makeSystem(c)
	}
	r.add(c)
	c.start()
	r.options.Logger.Infof("Created and started new channel %s", res.channelID)
	return nil
}

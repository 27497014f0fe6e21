package server

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// bootBlock is the block whose configuration decides what this process is,
// and what it says.
type bootBlock struct {
	block         *cb.Block
	channelID     string
	consensusType string
	config        channelconfig.Resources
}

// parseConfigBlock reads the configuration in a config block of a channel
// with orderers.
func (n *node) parseConfigBlock(block *cb.Block) (*bootBlock, error) {
	env, err := protoutil.EnvelopeAt(block, 0)
	if err != nil {
		return nil, err
	}
	config, err := n.bundles.NewBundleFromEnvelope(env)
	if err != nil {
		return nil, err
	}
	o, ok := config.OrdererConfig()
	if !ok {
		return nil, errors.New("the configuration has no Orderer group")
	}
	return &bootBlock{block, config.ConfigtxValidator().ChannelID(), o.ConsensusType(), config}, nil
}

// readBootstrapFile reads and checks the bootstrap block.
func (n *node) readBootstrapFile(path string) (*bootBlock, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("unable to bootstrap orderer. Error reading genesis block file: %w", err)
	}
	block, err := protoutil.UnmarshalBlock(b)
	if err != nil {
		return nil, fmt.Errorf("unable to bootstrap orderer. Error unmarshalling genesis block: %w", err)
	}
	boot, err := n.parseConfigBlock(block)
	if err != nil {
		return nil, fmt.Errorf("Failed validating bootstrap block: %w", err) //nolint:staticcheck // Fabric's text
	}
	if _, ok := boot.config.ConsortiumsConfig(); !ok {
		return nil, errors.New("Failed validating bootstrap block: the block isn't a system channel block because it lacks ConsortiumsConfig") //nolint:staticcheck // Fabric's text
	}
	return boot, nil
}

// bootstrap returns the bootstrap block if there is one and no ledger holds a
// block yet, or if a replication that it guides was cut short; a genesis block
// becomes the system channel's ledger (spec 8.3).
func (n *node) bootstrap(ledgers blockledger.Factory) (*bootBlock, error) {
	if n.conf.General.BootstrapMethod != "file" {
		return n.bootstrapFromJoinBlock(ledgers)
	}
	heights, err := heightsOf(ledgers)
	if err != nil {
		return nil, err
	}
	// empty ledgers are what is left if a first start is cut short
	if slices.Max(append(slices.Collect(maps.Values(heights)), 0)) > 0 {
		if boot := n.cutShort(heights); boot != nil {
			n.log.Infof("Going on with bootstrap block [%d], because the ledger of the system channel '%s' has only %d blocks",
				boot.block.Header.Number, boot.channelID, heights[boot.channelID])
			return boot, nil
		}
		n.log.Info("Not bootstrapping the system channel because of existing channels")
		return nil, nil
	}
	boot, err := n.readBootstrapFile(n.conf.General.BootstrapFile)
	if err != nil {
		return nil, err
	}
	if number := boot.block.Header.Number; number > 0 {
		n.log.Infof("Not bootstrapping the system channel because the bootstrap block number is %d (>0), replication is needed", number)
		return boot, nil
	}
	n.log.Info("Bootstrapping the system channel")
	l, err := ledgers.GetOrCreate(boot.channelID)
	if err == nil {
		err = l.Append(boot.block)
	}
	if err != nil {
		return nil, fmt.Errorf("Failed to create genesis block of channel '%s': %w", boot.channelID, err) //nolint:staticcheck // as Fabric's
	}
	n.log.Infof("Initialized the system channel '%s' from bootstrap block", boot.channelID)
	return boot, nil
}

// cutShort returns the bootstrap block if a replication that it guided was not
// finished: its channel has a ledger without it. A replication makes that
// ledger first and fills it last (spec 5.4). In all other cases existing
// ledgers win, whether the file is there and good or not.
func (n *node) cutShort(heights map[string]uint64) *bootBlock {
	boot, err := n.readBootstrapFile(n.conf.General.BootstrapFile)
	if err != nil {
		n.log.Debugf("The bootstrap block is not needed: %s", err)
		return nil
	}
	height, ok := heights[boot.channelID]
	if number := boot.block.Header.Number; !ok || number == 0 || number < height {
		return nil
	}
	return boot
}

// heightsOf returns the height of every channel's ledger.
func heightsOf(ledgers blockledger.Factory) (map[string]uint64, error) {
	ids, err := ledgers.ChannelIDs()
	if err != nil {
		return nil, err
	}
	heights := map[string]uint64{}
	for _, id := range ids {
		l, err := ledgers.GetOrCreate(id)
		if err != nil {
			return nil, fmt.Errorf("opening the ledger of channel %s: %w", id, err)
		}
		heights[id] = l.Height()
	}
	return heights, nil
}

// systemChannel finds the system channel's last config block in the ledgers;
// nil if there is none.
func (n *node) systemChannel(ledgers blockledger.Factory) (*bootBlock, error) {
	ids, err := ledgers.ChannelIDs()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		l, err := ledgers.GetOrCreate(id)
		if err != nil {
			return nil, fmt.Errorf("opening the ledger of channel %s: %w", id, err)
		}
		if l.Height() == 0 {
			continue
		}
		block, err := blockledger.LastConfigBlock(l)
		if err != nil {
			return nil, fmt.Errorf("finding the configuration of channel %s: %w", id, err)
		}
		boot, err := n.parseConfigBlock(block)
		if err != nil {
			return nil, fmt.Errorf("configuration of channel %s in block [%d]: %w", id, block.Header.Number, err)
		}
		if _, ok := boot.config.ConsortiumsConfig(); ok {
			n.log.Infof("Found system channel config block, number: %d", block.Header.Number)
			return boot, nil
		}
	}
	return nil, nil
}

// selectBootBlock returns the higher-numbered of the two (spec 2.2).
func (n *node) selectBootBlock(bootstrap, system *bootBlock) *bootBlock {
	switch {
	case bootstrap == nil:
		return system
	case system == nil:
		n.log.Debugf("Selected bootstrap block, because system channel last config block is nil")
		return bootstrap
	case system.block.Header.Number > bootstrap.block.Header.Number:
		n.log.Infof("Cluster boot block is system channel last config block; Blocks Header.Number system-channel=%d, bootstrap=%d",
			system.block.Header.Number, bootstrap.block.Header.Number)
		return system
	}
	n.log.Infof("Cluster boot block is bootstrap (genesis) block; Blocks Header.Number system-channel=%d, bootstrap=%d",
		system.block.Header.Number, bootstrap.block.Header.Number)
	return bootstrap
}

package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/channelparticipation"
	"raftmig/orderer/cluster"
	"raftmig/orderer/comm"
	"raftmig/orderer/consensus/etcdraft"
	"raftmig/orderer/filerepo"
	"raftmig/orderer/follower"
	"raftmig/orderer/multichannel"
	"raftmig/orderer/operations"
	"raftmig/orderer/protoutil"
)

// openJoinBlocks opens the folder of the blocks of channels that are being
// joined; nil without the channel participation API.
func (n *node) openJoinBlocks() (*filerepo.Repo, error) {
	if !n.conf.ChannelParticipation.Enabled {
		return nil, nil
	}
	dir := filepath.Join(n.conf.FileLedger.Location, "pendingops")
	n.log.Infof("Channel Participation API enabled, registrar initializing with file repo %s", dir)
	repo, err := filerepo.New(dir, "join")
	if err != nil {
		return nil, fmt.Errorf("Error initializing joinblock file repo: %w", err) //nolint:staticcheck // Fabric's text
	}
	return repo, nil
}

// removeBeside deletes what is kept for a channel beside its ledger. It is part
// of every removal of a ledger, also of one that a crash cut short.
func (n *node) removeBeside(channelID string) error {
	if n.joinBlocks != nil {
		if err := n.joinBlocks.Remove(channelID); err != nil {
			return err
		}
	}
	return etcdraft.RemoveStorage(n.conf.Consensus.WALDir, n.conf.Consensus.SnapDir, channelID)
}

// bootstrapFromJoinBlock returns the block of a system channel that was joined
// before this start, or nil. A genesis block becomes the system channel's ledger.
func (n *node) bootstrapFromJoinBlock(ledgers blockledger.Factory) (*bootBlock, error) {
	if n.joinBlocks == nil {
		return nil, nil
	}
	names, err := n.joinBlocks.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		b, err := n.joinBlocks.Read(name)
		if err != nil {
			return nil, fmt.Errorf("Failed reading join-block for channel '%s', error: %w", name, err) //nolint:staticcheck // Fabric's text
		}
		block, err := protoutil.UnmarshalBlock(b)
		if err != nil {
			return nil, fmt.Errorf("Failed unmarshalling join-block for channel '%s', error: %w", name, err) //nolint:staticcheck // Fabric's text
		}
		boot, err := n.parseConfigBlock(block)
		if err != nil {
			return nil, fmt.Errorf("join-block for channel '%s': %w", name, err)
		}
		if _, ok := boot.config.ConsortiumsConfig(); !ok {
			continue
		}
		if block.Header.Number > 0 {
			return boot, nil
		}
		l, err := ledgers.GetOrCreate(boot.channelID)
		if err == nil && l.Height() == 0 {
			err = l.Append(block)
		}
		if err != nil {
			return nil, fmt.Errorf("Failed to create genesis block of channel '%s': %w", boot.channelID, err) //nolint:staticcheck // as Fabric's
		}
		return boot, nil
	}
	return nil, nil
}

// discardSystemJoinBlock ends the joining of a system channel, whose ledger is
// there now.
func (n *node) discardSystemJoinBlock(boot *bootBlock) error {
	if n.joinBlocks == nil || boot == nil || n.conf.General.BootstrapMethod == "file" {
		return nil
	}
	return n.joinBlocks.Remove(boot.channelID)
}

// participation is what the registrar needs to join, follow and remove channels.
func (n *node) participation() multichannel.Participation {
	p := multichannel.Participation{JoinBlocks: n.joinBlocks, Removed: n.trust.forget, Metrics: n.metrics}
	if c := n.cluster; c != nil {
		p.Follower = follower.Options{
			NewPuller:  func(t cluster.PullTarget) follower.Puller { return c.pullers.New(t) },
			MaxRetries: n.conf.General.Cluster.ReplicationMaxRetries,
			Logger:     n.options.Logging.Logger("orderer.commmon.follower"),
		}
		p.StopTracking = func() {
			if c.stopReplicator != nil {
				c.stopReplicator()
			}
		}
	}
	return p
}

// startAdmin opens the Admin endpoint with the channel participation API.
func (n *node) startAdmin() error {
	a := n.conf.Admin
	if a.ListenAddress == "" {
		return nil
	}
	var t *tls.Config
	if a.TLS.Enabled {
		c, err := loadTLS(a.TLS, comm.RequireClientCert, true)
		if err != nil {
			return fmt.Errorf("failed to start admin server: %w", err)
		}
		t = c.Config()
	}
	handler := channelparticipation.NewHandler(channelparticipation.Options{
		Enabled: n.conf.ChannelParticipation.Enabled, MaxRequestBodySize: n.conf.ChannelParticipation.MaxRequestBodySize,
		Channels: n.manager, Logger: n.options.Logging.Logger("orderer.commmon.channelparticipation"),
	})
	server, err := operations.ServeAdmin(a.ListenAddress, t, channelparticipation.URLBaseV1, handler, n.options.Logging.Logger("orderer.admin"))
	if err != nil {
		return fmt.Errorf("failed to start admin server: %w", err)
	}
	n.admin = server
	n.onCleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		n.warnIf("stopping the admin endpoint", server.Stop(ctx))
	})
	return nil
}

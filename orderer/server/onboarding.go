package server

import (
	"context"
	"fmt"

	"raftmig/orderer/cluster"
	"raftmig/orderer/onboarding"
)

// onboardingConfig is what both replicators need; logger is their name.
func (n *node) onboardingConfig(logger string) onboarding.Config {
	return onboarding.Config{
		Ledgers:    n.ledgers,
		NewPuller:  func(t cluster.PullTarget) cluster.ChainPuller { return n.cluster.pullers.New(t) },
		Signer:     n.signer,
		ServerCert: n.cluster.serverCert,
		MaxRetries: n.conf.General.Cluster.ReplicationMaxRetries,
		Logger:     n.options.Logging.Logger(logger),
	}
}

// replicate fetches the ledgers up to the boot block if they are behind it.
func (n *node) replicate(ctx context.Context, boot *bootBlock) error {
	if boot == nil {
		return nil
	}
	// the boot block names the orderers that are asked; their TLS CAs are not
	// known from any ledger yet
	n.trust.update(boot.channelID, boot.config)
	if err := onboarding.NewReplicator(n.onboardingConfig("orderer.common.cluster.replication")).Replicate(ctx, boot.block); err != nil {
		return fmt.Errorf("Failed to replicate chains: %w", err) //nolint:staticcheck // as Fabric's
	}
	return nil
}

// trackInactive makes the replicator of inactive channels. It runs from
// runInactive on, when the registrar has all chains.
func (n *node) trackInactive(boot *bootBlock) {
	if n.cluster == nil || boot == nil {
		return
	}
	n.cluster.replicator = onboarding.NewInactiveChainReplicator(onboarding.InactiveConfig{
		Config: n.onboardingConfig("orderer.common.onboarding"), SystemChannel: boot.channelID,
		CreateChain:     n.manager.CreateChain,
		FirstInterval:   n.options.firstLook,
		RefreshInterval: n.conf.General.Cluster.ReplicationBackgroundRefreshInterval,
	})
}

func (n *node) runInactive() {
	if n.cluster == nil || n.cluster.replicator == nil {
		return
	}
	n.cluster.stopReplicator = n.background(n.cluster.replicator.Run)
}

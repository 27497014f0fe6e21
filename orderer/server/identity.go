package server

import (
	"fmt"
	"time"

	"raftmig/orderer/localconfig"
	"raftmig/orderer/msp"
	"raftmig/orderer/msp/mspdir"
)

// loadIdentity reads the local MSP and its signing identity, and checks them
// by the rules of MSP 1.4.3 (spec 7.6).
func loadIdentity(conf *localconfig.TopLevel, now time.Time) (msp.SigningIdentity, error) {
	dir, id := conf.General.LocalMSPDir, conf.General.LocalMSPID
	var keystores []string
	if ks := conf.General.BCCSP.SW.FileKeystore.KeyStorePath; ks != "" {
		keystores = append(keystores, ks)
	}
	if _, err := mspdir.Load(dir, id); err != nil {
		return nil, fmt.Errorf("Failed to get local msp config: %w", err) //nolint:staticcheck // Fabric's text
	}
	local, signer, err := mspdir.LoadLocal(dir, id, keystores...)
	if err != nil {
		return nil, fmt.Errorf("Failed to setup local msp with config: %w", err) //nolint:staticcheck // Fabric's text
	}
	serialized, err := signer.Serialize()
	if err != nil {
		return nil, fmt.Errorf("Failed serializing signing identity: %w", err) //nolint:staticcheck // Fabric's text
	}
	own, err := local.DeserializeIdentity(serialized)
	if err == nil {
		err = own.Validate()
	}
	if err == nil {
		err = mspdir.CheckExpiry(signer, now)
	}
	if err != nil {
		return nil, fmt.Errorf("Failed to setup local msp with config: %w", err) //nolint:staticcheck // Fabric's text
	}
	return signer, nil
}

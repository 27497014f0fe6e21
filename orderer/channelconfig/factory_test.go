package channelconfig_test

import (
	"sync"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msp/msptest"
)

func TestBundlesOfAFactoryShareMSPs(t *testing.T) {
	f := channelconfig.NewFactory()
	bundle := func(g group) *channelconfig.Bundle {
		b, err := f.NewBundle("ch", &cb.Config{ChannelGroup: g})
		require.NoError(t, err)
		return b
	}
	system, app := bundle(systemConfig(t)), bundle(appConfig(t))
	org1 := app.MSPManager().MSPs()["Org1MSP"]
	require.Same(t, system.MSPManager().MSPs()["Org1MSP"], org1)

	updated := appConfig(t)
	set(t, sub(updated, "Orderer"), "ConsensusType", &ab.ConsensusType{Type: "etcdraft"})
	require.Same(t, org1, bundle(updated).MSPManager().MSPs()["Org1MSP"])

	older := appConfig(t)
	set(t, older, "Capabilities", capabilities("V1_4_2"))
	require.NotSame(t, org1, bundle(older).MSPManager().MSPs()["Org1MSP"], "other rules, another MSP")

	changed := appConfig(t)
	set(t, sub(changed, "Application", "Org1MSP"), "MSP", msptest.Config("Org1MSP", msptest.NewCA(t, "ca")))
	require.NotSame(t, org1, bundle(changed).MSPManager().MSPs()["Org1MSP"])

	fromEnvelope, err := f.NewBundleFromEnvelope(genesis(t, "2.5.16").env)
	require.NoError(t, err)
	require.Same(t, org1, fromEnvelope.MSPManager().MSPs()["Org1MSP"])

	broken := appConfig(t)
	sub(broken, "Application", "Org1MSP").Values["MSP"].Value = nil
	for range 2 {
		_, err := f.NewBundle("ch", &cb.Config{ChannelGroup: broken})
		require.ErrorContains(t, err, "expected at least one CA certificate")
	}
}

func TestFactoryServesManyGoroutines(t *testing.T) {
	f := channelconfig.NewFactory()
	config := &cb.Config{ChannelGroup: appConfig(t)}
	var wg sync.WaitGroup
	bundles := make([]*channelconfig.Bundle, 8)
	for i := range bundles {
		wg.Go(func() {
			b, err := f.NewBundle("ch", config)
			if err != nil {
				t.Error(err)
			}
			bundles[i] = b
		})
	}
	wg.Wait()
	for _, b := range bundles {
		require.Same(t, bundles[0].MSPManager().MSPs()["Org1MSP"], b.MSPManager().MSPs()["Org1MSP"])
	}
}

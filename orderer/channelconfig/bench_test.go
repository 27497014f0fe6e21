package channelconfig_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
)

func BenchmarkNewBundle(b *testing.B) {
	c := ledgerConfigs(b, "2.5.16", "ch1")[0]
	b.ReportAllocs()
	for b.Loop() {
		_, err := channelconfig.NewBundle(c.header.ChannelId, c.config.Config)
		require.NoError(b, err)
	}
}

func BenchmarkNewBundleOfAFactory(b *testing.B) {
	c := ledgerConfigs(b, "2.5.16", "ch1")[0]
	f := channelconfig.NewFactory()
	b.ReportAllocs()
	for b.Loop() {
		_, err := f.NewBundle(c.header.ChannelId, c.config.Config)
		require.NoError(b, err)
	}
}

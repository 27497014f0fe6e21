package channelconfig_test

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// A configuration of any bytes, as in the block of another orderer or in a
// bootstrap file, becomes a bundle whose parts can be asked, or an error.
func FuzzNewBundle(f *testing.F) {
	good := ledgerConfigs(f, "2.5.16", "syschannel")
	last := bundleOf(f, good[len(good)-1])
	for _, c := range good {
		f.Add(protoutil.MustMarshal(c.config.Config))
	}
	f.Add([]byte{})
	f.Add(protoutil.MustMarshal(&cb.Config{ChannelGroup: &cb.ConfigGroup{Groups: map[string]*cb.ConfigGroup{"Orderer": {}}}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		config := &cb.Config{}
		if proto.Unmarshal(raw, config) != nil {
			return
		}
		b, err := channelconfig.NewBundle("syschannel", config)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		_ = b.ChannelConfig().Capabilities().Supported() // an error is an answer
		if o, ok := b.OrdererConfig(); ok {
			o.ConsensusType()
			o.BatchSize()
			for _, org := range o.Organizations() {
				org.Endpoints()
				org.MSP().TLSRootCerts()
			}
		}
		_ = last.ValidateNew(b)
		_ = b.ValidateNew(last)
	})
}

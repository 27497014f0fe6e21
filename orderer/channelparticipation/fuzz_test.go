package channelparticipation

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// Whatever is posted as a join block is judged, and what passes names a channel.
func FuzzValidateJoinBlock(f *testing.F) {
	n := fixture.New(f)
	for _, b := range []*cb.Block{n.AppGenesis("ch1", 1, 7050), n.Genesis(nil), n.ConfigBlock("ch1", &cb.Config{}), {}} {
		f.Add(protoutil.MustMarshal(b))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		block := &cb.Block{}
		if proto.Unmarshal(raw, block) != nil {
			return
		}
		if id, _, err := ValidateJoinBlock(block); err == nil && id == "" {
			t.Error("a block of no channel passes")
		}
	})
}

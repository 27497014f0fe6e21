package clone

import (
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/protoutil"
)

// Whatever somebody's file holds, it is cloned or refused. The two halves are
// the configurations of an application channel and of a system channel.
func FuzzRead(f *testing.F) {
	for _, stem := range []string{"2.5.16.kafka", "2.5.16.raft"} {
		sources := blocks(f, stem)
		f.Add(protoutil.MustMarshal(sources[0].Config), protoutil.MustMarshal(sources[1].Config))
	}
	f.Fuzz(func(t *testing.T, channel, system []byte) {
		var sources []Source
		for i, data := range [][]byte{channel, system} {
			c := &cb.Config{}
			if proto.Unmarshal(data, c) == nil {
				sources = append(sources, Source{Channel: []string{"ch1", "sys"}[i], From: "fuzz", Config: c})
			}
		}
		s, err := Read(sources, nil)
		if err != nil {
			return
		}
		if len(s.Orderers) == 0 || len(s.Orderers) > MaxOrderers || len(s.Orgs) == 0 {
			t.Fatalf("%d orderers of %d organizations", len(s.Orderers), len(s.Orgs))
		}
		groups, err := s.Groups(material(s))
		if err == nil && len(groups) != len(s.all()) {
			t.Fatalf("%d configurations of %d channels", len(groups), len(s.all()))
		}
	})
}

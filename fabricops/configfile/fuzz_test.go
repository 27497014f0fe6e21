package configfile_test

import (
	"testing"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/configfile"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Files come from others: whatever is in them is an error at most.
func FuzzFiles(f *testing.F) {
	blocks := fakenet.Ledger(f, "2.2.15", fakenet.KafkaNormal, fakenet.Channel)
	v, err := channelcfg.FromBlock(blocks[0])
	if err != nil {
		f.Fatal(err)
	}
	u, err := channelcfg.Build(v, runbook.ChangeEnterMaintenance, nil)
	if err != nil {
		f.Fatal(err)
	}
	text, err := configfile.JSON(v.Config)
	if err != nil {
		f.Fatal(err)
	}
	env, err := u.Export()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{protoutil.MustMarshal(env), u.Bytes, protoutil.MustMarshal(v.Config), text, []byte(`{"channel_group":{"groups":null}}`), []byte(`{"channel_group":{"groups":{"Orderer":null},"values":{"Capabilities":null},"policies":{"Admins":null}}}`), []byte(`{"channel_group":{"groups":{"Orderer":{"values":{"ConsensusType":{"value":null}}}}}}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, kind := range append([]configfile.Kind{""}, configfile.Kinds...) {
			_, _ = configfile.Describe(data, kind, false)
		}
		if u, err := configfile.UpdateOf(data); err == nil {
			u.Signers()
			_, _ = configfile.Touched(u)
			_, _ = channelcfg.Judge(v, u)
		}
		if c, err := configfile.ConfigOf(data); err == nil {
			_, _ = configfile.Diff(v.Config, c)
		}
		_, _ = configfile.EditedUpdate(v, data)
	})
}

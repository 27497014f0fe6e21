package channels

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

func view(t *testing.T, channel string) *channelcfg.View {
	t.Helper()
	blocks := fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, channel)
	index, err := protoutil.LastConfigIndex(blocks[len(blocks)-1])
	require.NoError(t, err)
	v, err := channelcfg.FromBlock(blocks[index])
	require.NoError(t, err)
	return v
}

// update is a new one that enters maintenance, each time with the same bytes.
func update(t *testing.T, channel string) *channelcfg.Update {
	t.Helper()
	u, err := channelcfg.Build(view(t, channel), runbook.ChangeEnterMaintenance, nil)
	require.NoError(t, err)
	return u
}

func signers(u *channelcfg.Update) []string {
	var msps []string
	for _, s := range u.Signers() {
		msps = append(msps, s.MSPID)
	}
	return msps
}

func sign(t *testing.T, u *channelcfg.Update, ids ...inventory.Identity) *channelcfg.Update {
	t.Helper()
	_, err := Sign(u, ids)
	require.NoError(t, err)
	return u
}

func TestUpdatesInFilesAreSignedOnceByEachAndJoined(t *testing.T) {
	crypto, dir := fakenet.NewCrypto(t), t.TempDir()
	u := update(t, fakenet.Channel)
	added, err := Sign(u, []inventory.Identity{crypto.Admin(), crypto.Admin()})
	require.NoError(t, err)
	require.Equal(t, []string{"OrdererMSP"}, added)
	a, b := filepath.Join(dir, "a.tx"), filepath.Join(dir, "b.tx")
	require.NoError(t, WriteUpdate(a, u))
	require.NoError(t, WriteUpdate(b, sign(t, update(t, fakenet.Channel), crypto.User())))
	joined, err := ReadUpdates(a, b)
	require.NoError(t, err)
	require.Equal(t, []string{"OrdererMSP", "Org1MSP"}, signers(joined))
	require.Equal(t, u.Bytes, joined.Bytes)

	info, err := os.Stat(a)
	require.NoError(t, err)
	require.EqualValues(t, 0o644, info.Mode().Perm(), "others sign it")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing is left over")

	other := filepath.Join(dir, "other.tx")
	require.NoError(t, WriteUpdate(other, update(t, fakenet.SystemChannel)))
	_, err = ReadUpdates(a, other)
	require.ErrorIs(t, err, channelcfg.ErrOtherUpdate)
	_, err = ReadUpdates()
	require.EqualError(t, err, "no file with an update")
	require.NoError(t, os.WriteFile(other, []byte("half a copy"), 0o600))
	_, err = ReadUpdates(other)
	require.ErrorContains(t, err, other+": ")
	_, err = ReadUpdates(filepath.Join(dir, "none.tx"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Error(t, WriteUpdate(filepath.Join(dir, "no", "such", "folder.tx"), u))
	_, err = Sign(u, []inventory.Identity{{MSPID: "X", MSPDir: dir}})
	require.Error(t, err)
}

// A signature that was damaged on its way is no reason to have none.
func TestADamagedSignatureIsMadeAnew(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	u := sign(t, update(t, fakenet.Channel), crypto.Admin())
	u.Signatures[0].Signature[10] ^= 1
	require.NotEmpty(t, u.Signers()[0].Error)
	added, err := Sign(u, []inventory.Identity{crypto.Admin()})
	require.NoError(t, err)
	require.Equal(t, []string{"OrdererMSP"}, added)
	require.Len(t, u.Signers(), 1)
	require.Empty(t, u.Signers()[0].Error)
}

func TestABoxHasTheSignaturesThatCameBack(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	box := Box{Dir: filepath.Join(t.TempDir(), "signatures")}
	collect := func(u *channelcfg.Update) (lies, stale bool) {
		t.Helper()
		files, err := box.Files()
		require.NoError(t, err)
		lies, stale, err = box.Collect(u, files)
		require.NoError(t, err)
		return lies, stale
	}
	u := update(t, fakenet.Channel)
	lies, stale := collect(u)
	require.False(t, lies || stale)
	require.Empty(t, u.Signatures)
	empty := box.Stamp()
	require.NoError(t, box.Put(sign(t, u, crypto.Admin())))
	require.NotEqual(t, empty, box.Stamp())
	require.FileExists(t, filepath.Join(box.Dir, fakenet.Channel+".enter-maintenance.tx"))
	back := filepath.Join(box.Dir, "org1")
	require.NoError(t, os.Mkdir(back, 0o700))
	require.NoError(t, WriteUpdate(filepath.Join(back, "came back.tx"), sign(t, update(t, fakenet.Channel), crypto.User())))
	require.NoError(t, WriteUpdate(filepath.Join(box.Dir, "of another channel.tx"), sign(t, update(t, fakenet.SystemChannel), crypto.User())))
	require.NoError(t, os.WriteFile(filepath.Join(box.Dir, "being copied.tx"), []byte{0x0a, 0xff}, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(box.Dir, "notes.txt"), []byte("call Org2"), 0o600))

	again := update(t, fakenet.Channel)
	lies, stale = collect(again)
	require.True(t, lies)
	require.False(t, stale)
	require.ElementsMatch(t, []string{"OrdererMSP", "Org1MSP"}, signers(again))

	// The channel has another configuration by now.
	newer := update(t, fakenet.Channel)
	m, err := protoutil.UnmarshalConfigUpdate(newer.Bytes)
	require.NoError(t, err)
	m.ReadSet.Version++
	newer.Bytes = protoutil.MustMarshal(m)
	lies, stale = collect(newer)
	require.False(t, lies)
	require.True(t, stale)
	require.Empty(t, newer.Signatures)
}

func TestWhatIsAskedForIsCheckedBeforeAnythingIsMade(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there.tx")
	require.NoError(t, os.WriteFile(there, nil, 0o600))
	for _, tc := range []struct {
		name string
		m    Making
		want string
	}{
		{"nothing", Making{Channel: "ch1"}, "say what to change: "},
		{"two things", Making{Channel: "ch1", Change: runbook.ChangeSwitchType, Edited: "x.json"}, "give either a change by name or --config"},
		{"an unknown change", Making{Channel: "ch1", Change: "sideways"}, `unknown change "sideways"`},
		{"a file that may have signatures", Making{Channel: "ch1", Change: runbook.ChangeSwitchType, File: there}, there + " exists and may have signatures"},
		{"the same, on purpose", Making{Channel: "ch1", Change: runbook.ChangeSwitchType, File: there, Replace: true}, ""},
		{"a name that is a path", Making{Channel: filepath.Join(dir, "there"), Change: runbook.ChangeSwitchType}, "channel"},
		{"no channel", Making{Change: runbook.ChangeSwitchType}, "channel"},
		{"a change", Making{Channel: "ch1", Change: runbook.ChangeExitMaintenance}, ""},
		{"an edited configuration", Making{Channel: "ch1", Edited: "x.json"}, ""},
	} {
		err := tc.m.Check()
		if tc.want == "" {
			require.NoError(t, err, tc.name)
		} else {
			require.ErrorContains(t, err, tc.want, tc.name)
			require.NotContains(t, err.Error(), "ch1.tx", tc.name)
		}
	}
	m := Making{Channel: filepath.Join(dir, "there"), Change: runbook.ChangeSwitchType}
	require.NotContains(t, m.Check().Error(), "exists", "it is not looked for")
	m = Making{Channel: "ch1", Change: runbook.ChangeExitMaintenance}
	require.NoError(t, m.Check())
	require.Equal(t, "ch1.tx", m.File)
	require.True(t, m.NeedsNetwork())
	m.Block = "ch1.block"
	require.False(t, m.NeedsNetwork())
	m.Change = runbook.ChangeSwitchType
	require.True(t, m.NeedsNetwork(), "for the consenters")
}

func TestAnUpdateIsMadeFromABlockInAFile(t *testing.T) {
	dir := t.TempDir()
	v := view(t, fakenet.Channel)
	all := []Fetched{{Channel: fakenet.Channel, Node: "orderer0", View: v}, {Channel: fakenet.Channel, Node: "orderer1", Error: "no route"}}
	t.Chdir(dir)
	require.EqualError(t, WriteBlocks(all, "", true), "orderer1: no route")
	require.Equal(t, fakenet.Channel+".orderer0.block", all[0].File)
	require.NoError(t, WriteBlocks(all[:1], "", false))
	require.Equal(t, fakenet.Channel+".block", all[0].File)
	require.NoError(t, WriteBlocks(all[:1], "mine.block", false))
	require.Equal(t, "mine.block", all[0].File)
	read, err := ReadBlock("mine.block")
	require.NoError(t, err)
	require.True(t, proto.Equal(v.Block, read.Block))
	require.NoError(t, os.WriteFile("noise.block", []byte("noise"), 0o600))
	_, err = ReadBlock("noise.block")
	require.ErrorContains(t, err, "noise.block: ")

	m := Making{Channel: fakenet.Channel, Change: runbook.ChangeEnterMaintenance, Block: "mine.block"}
	require.NoError(t, m.Check())
	u, file, err := m.Make(t.Context())
	require.NoError(t, err)
	require.Equal(t, fakenet.Channel+".tx", file)
	require.Equal(t, update(t, fakenet.Channel).Bytes, u.Bytes)
	written, err := ReadUpdates(file)
	require.NoError(t, err)
	require.Equal(t, u.Bytes, written.Bytes)
	d, err := Describe(u, file, nil)
	require.NoError(t, err)
	require.Nil(t, d.Receipt)
	require.NotEmpty(t, d.Changes)
	require.Empty(t, d.Signers)

	m = Making{Channel: "other", Change: runbook.ChangeEnterMaintenance, Block: "mine.block", File: "other.tx"}
	_, _, err = m.Make(t.Context())
	require.EqualError(t, err, "mine.block is of channel "+fakenet.Channel+", not of other")
	require.NoFileExists(t, "other.tx")
	m = Making{Channel: fakenet.Channel, Change: runbook.ChangeExitMaintenance, Block: "mine.block", File: "exit.tx"}
	_, _, err = m.Make(t.Context())
	require.ErrorContains(t, err, "channel "+fakenet.Channel+": ", "it is not in maintenance")

	changes, err := DiffFiles("mine.block", "mine.block")
	require.NoError(t, err)
	require.Equal(t, 0, len(changes))
	require.NotNil(t, changes, "an empty list in JSON")
	_, err = DiffFiles("mine.block", "noise.block")
	require.ErrorContains(t, err, "noise.block: ")
}

func TestANetworkIsReadNodeByNode(t *testing.T) {
	net := fakenet.New(t, 3)
	blocks := fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel)
	net.Add(t, fakenet.Channel, blocks)
	n, err := Open(net.Inventory())
	require.NoError(t, err)
	defer n.Close()
	want := view(t, fakenet.Channel)
	f, err := n.Newest(t.Context(), fakenet.Channel)
	require.NoError(t, err)
	require.Equal(t, want.Number(), f.Block)
	require.Equal(t, "kafka", f.Type)
	nodes := n.pool.Nodes()
	f, err = n.From(t.Context(), fakenet.Channel, nodes[1])
	require.NoError(t, err)
	require.Equal(t, nodes[1], f.Node)
	require.Equal(t, want.Hash(), f.Hash)
	_, err = n.From(t.Context(), fakenet.Channel, "orderer9")
	require.ErrorIs(t, err, dial.ErrUnknownNode)
	require.ErrorContains(t, err, nodes[0]+", "+nodes[1])
	all := n.FromEvery(t.Context(), "nosuchchannel")
	require.Len(t, all, 3)
	for i, f := range all {
		require.Equal(t, nodes[i], f.Node)
		require.Equal(t, "nosuchchannel", f.Channel)
		require.NotEmpty(t, f.Error)
	}
	inv := net.Inventory()
	inv.Admin = inventory.Identity{MSPID: "OrdererMSP", MSPDir: t.TempDir()}
	_, err = Open(inv)
	require.Error(t, err)
}

// Whether signatures are missing, or whoever sends the update may not, is told by
// Fabric's texts, which both speak of policies.
func TestARefusalForWantOfSignaturesSaysWhoHasSigned(t *testing.T) {
	const tooFew = "error applying config update to existing channel 'ch1': error authorizing update: error validating DeltaSet: " +
		"policy for [Value]  /Channel/Orderer/ConsensusType not satisfied: "
	for refusal, want := range map[string]bool{
		tooFew + "implicit policy evaluation failed - 1 sub-policies were satisfied, but this policy requires 2 of the 'Admins' sub-policies to be satisfied": true,
		tooFew + "signature set did not satisfy policy": true,
		"config update for existing channel did not pass initial checks: implicit policy evaluation failed - 0 sub-policies were satisfied, " +
			"but this policy requires 1 of the 'Writers' sub-policies to be satisfied: permission denied": false,
		"no Raft leader": false,
	} {
		require.Equal(t, want, lacksSignatures(refusal), refusal)
	}
	u, refusal := update(t, fakenet.Channel), errors.New(tooFew)
	require.Contains(t, unsigned(u, refusal).Hint, "Nobody has signed it.")
	sign(t, u, fakenet.NewCrypto(t).Admin())
	p := unsigned(u, refusal)
	require.Contains(t, p.Hint, "It has those of OrdererMSP.")
	require.Equal(t, tooFew, p.Why)
	require.Equal(t, fakenet.Channel, p.Where)
}

package multichannel

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/follower"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
	"raftmig/orderer/types"
)

func TestJoiningWithAGenesisBlock(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	require.Equal(t, types.ChannelList{}, p.r.ChannelList())
	info, err := p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
	want := types.ChannelInfo{Name: "ch1", ConsensusRelation: types.ConsensusRelationConsenter, Status: types.StatusActive, Height: 1}
	require.Equal(t, want, info)
	require.Equal(t, []string{"ch1"}, p.cluster.started)
	require.Empty(t, p.joining(), "the ledger says it all")
	require.Equal(t, want, p.info("ch1"))

	p.cluster.members["ch2"] = false
	info, err = p.r.JoinChannel("ch2", p.genesis("ch2"), true)
	require.NoError(t, err)
	want = types.ChannelInfo{Name: "ch2", ConsensusRelation: types.ConsensusRelationFollower, Status: types.StatusOnBoarding}
	require.Equal(t, want, info)
	require.Equal(t, []string{"ch2"}, p.joining())
	require.Equal(t, types.ChannelList{Channels: []types.ChannelInfoShort{{Name: "ch1"}, {Name: "ch2"}}}, p.r.ChannelList())
	require.Nil(t, p.r.Chain("ch2"), "a follower services nobody")
	require.Equal(t, 2, p.r.ChannelsCount())

	for channel, app := range map[string]bool{"ch1": true, "ch2": true} {
		_, err = p.r.JoinChannel(channel, p.genesis(channel), app)
		require.ErrorIs(t, err, types.ErrChannelAlreadyExists)
	}
	_, err = p.r.JoinChannel("syschannel", p.system(), false)
	require.ErrorIs(t, err, types.ErrAppChannelsAlreadyExists)
	require.Contains(t, p.metrics(), `participation_status{channel="ch1"} 1`)
	require.Contains(t, p.metrics(), `participation_consensus_relation{channel="ch1"} 1`)
	require.Contains(t, p.metrics(), `participation_status{channel="ch2"} 2`)
	require.Contains(t, p.metrics(), `participation_consensus_relation{channel="ch2"} 2`)

	// and after a restart
	require.NoError(t, p.r.Halt(time.Minute))
	require.NoError(t, p.begin())
	require.Equal(t, []string{"ch1"}, p.cluster.started)
	require.Equal(t, want, p.info("ch2"))
	require.True(t, p.logged("Registrar initializing without a system channel, number of application channels: 2, with 1 consensus.Chain(s) and 1 follower.Chain(s)"))
}

// Tools differ in how many empty slots they give a genesis block.
func TestJoiningWithFewerMetadataSlots(t *testing.T) {
	for slots := range 5 {
		p := newParticipant(t)
		require.NoError(t, p.begin())
		block := p.genesis("ch1")
		block.Metadata.Metadata = block.Metadata.Metadata[:slots]
		info, err := p.r.JoinChannel("ch1", block, true)
		require.NoError(t, err, "%d slots", slots)
		require.Equal(t, uint64(1), info.Height)
		require.NoError(t, p.r.Halt(time.Minute))
		require.NoError(t, p.begin(), "%d slots", slots)
		require.Equal(t, types.StatusActive, p.info("ch1").Status)
	}
}

// A join that is cut short anywhere after the join block was saved is finished
// at the next start; before, nothing has happened.
func TestAJoinCutShortIsFinished(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(p *participant)
	}{
		{"before the ledger was made", func(p *participant) {}},
		{"with an empty ledger", func(p *participant) { p.height("ch1") }},
		{"with the genesis block in the ledger", func(p *participant) {
			l, err := p.ledgers.GetOrCreate("ch1")
			require.NoError(p.t, err)
			require.NoError(p.t, l.Append(p.genesis("ch1")))
		}},
	} {
		p := newParticipant(t)
		require.NoError(t, p.repo.Save("ch1", protoutil.MustMarshal(p.genesis("ch1"))), test.name)
		test.prepare(p)
		require.NoError(t, p.begin(), test.name)
		require.Equal(t, types.StatusActive, p.info("ch1").Status, test.name)
		require.Equal(t, types.ConsensusRelationConsenter, p.info("ch1").ConsensusRelation, test.name)
		require.Equal(t, uint64(1), p.height("ch1"), test.name)
		require.Empty(t, p.joining(), test.name)
	}
	p := newParticipant(t)
	p.height("ch1") // an empty ledger and no join block
	require.NoError(t, p.begin())
	_, err := p.r.ChannelInfo("ch1")
	require.ErrorIs(t, err, types.ErrChannelNotExist)
	_, err = p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
}

// A join block stays on disk while its channel is followed; the ledger may know
// better by the next start, where the TLS CAs of others are trusted by it.
func TestAFollowerBeginsWithTheNewestConfiguration(t *testing.T) {
	p := newParticipant(t)
	p.cluster.members["ch1"] = false
	require.NoError(t, p.repo.Save("ch1", protoutil.MustMarshal(p.genesis("ch1"))))
	l, err := p.ledgers.GetOrCreate("ch1")
	require.NoError(t, err)
	require.NoError(t, l.Append(p.genesis("ch1")))
	newer := p.net.AppGenesis("ch1", 1, 7051)
	newer.Header.Number, newer.Header.PreviousHash = 1, protoutil.BlockHeaderHash(p.genesis("ch1").Header)
	newer.Metadata.Metadata = make([][]byte, 5)
	index := protoutil.MustMarshal(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: 1}})
	newer.Metadata.Metadata[cb.BlockMetadataIndex_SIGNATURES] = protoutil.MustMarshal(&cb.Metadata{Value: index})
	require.NoError(t, l.Append(newer))
	require.NoError(t, p.begin())
	require.Equal(t, types.ConsensusRelationFollower, p.info("ch1").ConsensusRelation)
	o, _ := p.r.opened["ch1"].current().OrdererConfig()
	want := &etcdraft.ConfigMetadata{}
	require.NoError(t, proto.Unmarshal(o.ConsensusMetadata(), want))
	require.EqualValues(t, 7051, want.Consenters[0].Port)
}

func TestAJoinWhoseBlockCannotBeDeletedLeavesNoChain(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	file := p.net.Path("pendingops", "join", "ch1.join")
	p.cluster.onChain = func() { // a folder that is not empty in its place
		require.NoError(t, os.Remove(file))
		require.NoError(t, os.MkdirAll(filepath.Join(file, "x"), 0o700))
	}
	_, err := p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.ErrorContains(t, err, "failed removing joinblock for channel ch1: ")
	require.Equal(t, []string{"ch1"}, p.cluster.forgotten, "messages of others would go to it")
	require.NoError(t, os.RemoveAll(file)) // for the end of the test
}

func TestAJoinThatFailsLeavesNothing(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	var swept []string
	p.beside = func(id string) error { swept = append(swept, id); return nil }
	fails := func(block *cb.Block, want string) {
		t.Helper()
		id, err := protoutil.ChannelIDOf(block)
		require.NoError(t, err)
		_, err = p.r.JoinChannel(id, block, true)
		require.EqualError(t, err, want)
		require.Empty(t, p.joining())
		require.NotContains(t, p.stored(), id)
		require.Equal(t, types.ChannelList{}, p.r.ChannelList())
	}
	kafka := p.net.SystemConfig()
	fails(p.net.ConfigBlock("ch1", kafka), "failed cast: clusterConsenter is not a consensus.ClusterConsenter")
	other := p.net.SystemConfig()
	fixture.OrdererValues(other)[channelconfig.ConsensusTypeKey].Value = protoutil.MustMarshal(&ab.ConsensusType{Type: "melville"})
	fails(p.net.ConfigBlock("ch1", other), "failed to find a consenter for consensus type: melville")
	p.cluster.memberErr = errors.New("bad metadata")
	fails(p.genesis("ch1"), "failed to determine cluster membership from join-block: bad metadata")
	p.cluster.memberErr = nil
	require.Empty(t, swept, "a refused join changes nothing")
	p.ledgers.fail["ch1"] = errors.New("disk full")
	fails(p.genesis("ch1"), "failed to append join block to the ledger: disk full")
	delete(p.ledgers.fail, "ch1")
	p.cluster.err = errors.New("no chain")
	fails(p.genesis("ch1"), "failed to create chain support: error creating consenter for channel: ch1: no chain")
	require.Equal(t, "ch1", p.configs[len(p.configs)-1], "its CAs were trusted")
	require.Contains(t, p.removed, "ch1", "and are no more")
	p.cluster.err = nil
	p.cluster.members["ch1"] = false
	noAddresses := p.genesis("ch1")
	env, err := protoutil.EnvelopeAt(noAddresses, 0)
	require.NoError(t, err)
	c, err := protoutil.ConfigEnvelope(env)
	require.NoError(t, err)
	fixture.SetAddresses(c.Config)
	fails(p.net.ConfigBlock("ch1", c.Config), "failed to create follower for channel ch1: error creating a block puller from join-block: the configuration has no orderer endpoints")

	p.cluster.members["ch1"] = true
	_, err = p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
}

func TestRemovingChannels(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	p.cluster.members["ch2"] = false
	for _, id := range []string{"ch1", "ch2"} {
		_, err := p.r.JoinChannel(id, p.genesis(id), true)
		require.NoError(t, err)
	}
	require.ErrorIs(t, p.r.RemoveChannel("ch3"), types.ErrChannelNotExist)
	chain := p.r.Chain("ch1").chain.(*clusterChain)
	for i, id := range []string{"ch1", "ch2"} {
		require.NoError(t, p.r.RemoveChannel(id))
		require.Equal(t, []string{"ch1", "ch2"}[:i+1], p.removed)
		require.NotContains(t, p.stored(), id)
		require.ErrorIs(t, p.r.RemoveChannel(id), types.ErrChannelNotExist)
	}
	require.True(t, chain.halted)
	require.Equal(t, []string{"ch1"}, p.cluster.forgotten)
	require.Empty(t, p.joining())
	require.Equal(t, types.ChannelList{}, p.r.ChannelList())

	// the name is free
	info, err := p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
	require.Equal(t, uint64(1), info.Height)
}

func TestARemovalUnderWayAndOneThatFailed(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	_, err := p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
	chain := p.r.Chain("ch1").chain.(*clusterChain)
	chain.halting = make(chan struct{})
	p.beside = func(string) error { return errors.New("disk fails") }
	done := make(chan error, 1)
	go func() { done <- p.r.RemoveChannel("ch1") }()
	require.Eventually(t, func() bool { return p.r.Chain("ch1") == nil }, time.Minute, time.Millisecond)
	require.ErrorIs(t, p.r.RemoveChannel("ch1"), types.ErrChannelPendingRemoval)
	_, err = p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.ErrorIs(t, err, types.ErrChannelPendingRemoval)
	require.Equal(t, types.ChannelList{Channels: []types.ChannelInfoShort{{Name: "ch1"}}}, p.r.ChannelList())
	require.Equal(t, types.StatusActive, p.info("ch1").Status, "what it was, until it is gone")
	close(chain.halting)
	require.ErrorContains(t, <-done, "disk fails")

	require.Equal(t, types.ChannelInfo{Name: "ch1", ConsensusRelation: types.ConsensusRelationConsenter, Status: types.StatusFailed}, p.info("ch1"))
	require.Contains(t, p.metrics(), `participation_status{channel="ch1"} 3`)
	_, err = p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.ErrorIs(t, err, types.ErrChannelRemovalFailure)
	require.ErrorContains(t, p.r.RemoveChannel("ch1"), "disk fails")
	p.beside = func(string) error { return nil }
	require.NoError(t, p.r.RemoveChannel("ch1"))
	require.Equal(t, types.ChannelList{}, p.r.ChannelList())
	_, err = p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
}

func TestJoiningASystemChannelNeedsARestart(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	info, err := p.r.JoinChannel("syschannel", p.system(), false)
	require.NoError(t, err)
	want := types.ChannelInfo{Name: "syschannel", ConsensusRelation: types.ConsensusRelationConsenter, Status: types.StatusInactive, Height: 1}
	require.Equal(t, want, info)
	require.Equal(t, []string{"syschannel"}, p.joining())
	require.Empty(t, p.cluster.started)
	require.Equal(t, types.ChannelList{SystemChannel: &types.ChannelInfoShort{Name: "syschannel"}}, p.r.ChannelList())
	require.EqualError(t, p.r.SystemChannel().Chain().WaitReady(), "system channel creation pending: server requires restart")
	for _, block := range []*cb.Block{p.genesis("ch1"), p.system()} {
		_, err = p.r.JoinChannel("any", block, false)
		require.ErrorIs(t, err, types.ErrSystemChannelExists)
	}
	require.ErrorIs(t, p.r.RemoveChannel("ch1"), types.ErrSystemChannelExists)
	require.NoError(t, p.r.RemoveChannel("syschannel"))
	require.Empty(t, p.joining())
	_, err = p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)

	// a join block of a system channel that no start has bootstrapped from
	other := newParticipant(t)
	require.NoError(t, other.repo.Save("syschannel", protoutil.MustMarshal(other.system())))
	require.ErrorContains(t, other.begin(), "the join-block of a system channel needs General.BootstrapMethod none")
}

func TestRemovingTheSystemChannel(t *testing.T) {
	p := newParticipant(t)
	for id, block := range map[string]*cb.Block{"syschannel": p.system(), "ch1": p.genesis("ch1"), "ch2": p.genesis("ch2")} {
		l, err := p.ledgers.GetOrCreate(id)
		require.NoError(t, err)
		require.NoError(t, l.Append(block))
	}
	p.cluster.members["ch2"] = false
	require.NoError(t, p.begin())
	require.Equal(t, types.ChannelInfo{Name: "ch2", ConsensusRelation: types.ConsensusRelationConfigTracker, Status: types.StatusInactive, Height: 1}, p.info("ch2"))
	_, err := p.r.JoinChannel("ch3", p.genesis("ch3"), true)
	require.ErrorIs(t, err, types.ErrSystemChannelExists)
	old := p.r.Chain("ch1")

	p.cluster.memberErr = errors.New("bad metadata")
	require.EqualError(t, p.r.RemoveChannel("syschannel"), "failed to determine channel membership for channel: ch1: bad metadata")
	require.False(t, p.stopped, "nothing has happened")
	require.False(t, old.chain.(*clusterChain).halted)
	p.cluster.memberErr = nil

	p.cluster.started = nil
	require.NoError(t, p.r.RemoveChannel("syschannel"))
	require.True(t, p.stopped)
	require.True(t, p.cluster.untracked)
	require.Equal(t, []string{"syschannel", "ch2"}, p.removed)
	require.Equal(t, []string{"ch1"}, p.stored())
	require.Equal(t, []string{"ch1"}, p.cluster.started)
	require.NotSame(t, old, p.r.Chain("ch1"), "a chain that knows no system channel")
	require.Equal(t, types.ChannelList{Channels: []types.ChannelInfoShort{{Name: "ch1"}}}, p.r.ChannelList())
	require.Nil(t, p.r.SystemChannel())
	require.EqualError(t, p.r.CreateChain("ch1"), "there is no system channel (any more)")
	_, err = p.r.JoinChannel("ch3", p.genesis("ch3"), true)
	require.NoError(t, err)
}

// Like Fabric, whose application channels stop only once the system channel is
// gone: what a failing disk keeps from being removed is no reason to stop the rest.
func TestARemovalOfTheSystemChannelThatFailsStopsNoOther(t *testing.T) {
	p := newParticipant(t)
	for id, block := range map[string]*cb.Block{"syschannel": p.system(), "ch1": p.genesis("ch1"), "ch2": p.genesis("ch2")} {
		l, err := p.ledgers.GetOrCreate(id)
		require.NoError(t, err)
		require.NoError(t, l.Append(block))
	}
	p.cluster.members["ch2"] = false
	require.NoError(t, p.begin())
	old := p.r.Chain("ch1")
	failing := "syschannel"
	p.beside = func(id string) error {
		if id == failing {
			return errors.New("input/output error")
		}
		return nil
	}
	require.EqualError(t, p.r.RemoveChannel("syschannel"), "failed removing ledger for system channel syschannel: input/output error")
	require.Equal(t, types.StatusFailed, p.info("syschannel").Status)
	require.True(t, p.logged("Failed to remove channel syschannel: input/output error"))
	require.Same(t, old, p.r.Chain("ch1"))
	require.False(t, old.chain.(*clusterChain).halted)
	require.Equal(t, types.StatusActive, p.info("ch1").Status)
	_, err := p.r.JoinChannel("ch3", p.genesis("ch3"), true)
	require.ErrorIs(t, err, types.ErrSystemChannelExists, "until it was removed")

	failing = "ch2"
	require.EqualError(t, p.r.RemoveChannel("syschannel"), "failed removing ledger for channel(s): ch2")
	require.Equal(t, types.StatusFailed, p.info("ch2").Status)
	require.True(t, old.chain.(*clusterChain).halted)
	require.Equal(t, types.StatusActive, p.info("ch1").Status, "a chain that knows no system channel")
	failing = ""
	require.NoError(t, p.r.RemoveChannel("ch2"))
	require.Equal(t, types.ChannelList{Channels: []types.ChannelInfoShort{{Name: "ch1"}}}, p.r.ChannelList())
}

func TestAKafkaSystemChannelIsNotRemoved(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	require.EqualError(t, w.r.RemoveChannel("syschannel"), "cannot remove kafka system channel: syschannel")
	require.ErrorIs(t, w.r.RemoveChannel("ch1"), types.ErrSystemChannelExists)
	info, err := w.r.ChannelInfo("syschannel")
	require.NoError(t, err)
	require.Equal(t, types.ChannelInfo{Name: "syschannel", ConsensusRelation: types.ConsensusRelationOther, Status: types.StatusActive, Height: 1}, info)
}

func TestSwitchingBetweenChainAndFollower(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	_, err := p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
	chain := p.r.Chain("ch1").chain

	p.r.Evicted("ch1", &clusterChain{}) // not the one that is there
	require.NotNil(t, p.r.Chain("ch1"))
	p.cluster.members["ch1"] = false
	p.r.Evicted("ch1", chain)
	require.Nil(t, p.r.Chain("ch1"))
	require.Equal(t, types.ChannelInfo{Name: "ch1", ConsensusRelation: types.ConsensusRelationFollower, Status: types.StatusActive, Height: 1}, p.info("ch1"))
	p.r.Evicted("ch1", chain)

	p.r.mu.RLock()
	f := p.r.followers["ch1"]
	p.r.mu.RUnlock()
	p.r.SwitchFollowerToChain(&follower.Chain{Options: f.Options}) // not the one that is there
	require.Nil(t, p.r.Chain("ch1"))
	f.Halt()
	p.cluster.members["ch1"] = true
	p.r.SwitchFollowerToChain(f)
	require.NotNil(t, p.r.Chain("ch1"))
	require.Equal(t, types.ConsensusRelationConsenter, p.info("ch1").ConsensusRelation)
	p.r.SwitchFollowerToChain(f) // once

	// with a system channel the consenter tracks the channel
	other := newParticipant(t)
	l, err := other.ledgers.GetOrCreate("syschannel")
	require.NoError(t, err)
	require.NoError(t, l.Append(other.system()))
	require.NoError(t, other.begin())
	other.r.Evicted("syschannel", other.r.SystemChannel().chain)
	require.NotNil(t, other.r.SystemChannel())
	require.Contains(t, other.metrics(), `participation_consensus_relation{channel="syschannel"} 3`)
}

// Who still reads from a chain that was replaced is judged by the configuration
// in force, not by that of the time when it was.
func TestAReplacedChainKnowsTheConfigurationInForce(t *testing.T) {
	p := newParticipant(t)
	p.ledgers.plain = true
	require.NoError(t, p.begin())
	_, err := p.r.JoinChannel("ch1", p.genesis("ch1"), true)
	require.NoError(t, err)
	old := p.r.Chain("ch1")
	p.cluster.members["ch1"] = false
	p.r.Evicted("ch1", old.chain)
	p.r.mu.RLock()
	f := p.r.followers["ch1"]
	p.r.mu.RUnlock()
	f.Halt()
	changed := p.net.AppGenesis("ch1", 1, 7051) // other addresses
	f.OnConfig(changed)
	require.Equal(t, []string{"localhost:7051"}, old.Resources().ChannelConfig().OrdererAddresses())
	p.cluster.members["ch1"] = true
	p.r.SwitchFollowerToChain(f)
	require.Equal(t, []string{"localhost:7050"}, old.Resources().ChannelConfig().OrdererAddresses(), "that of the ledger")
	require.Same(t, old.resources, p.r.Chain("ch1").resources)
	require.NoError(t, p.r.RemoveChannel("ch1"))
	_, err = p.r.JoinChannel("ch1", changed, true)
	require.NoError(t, err)
	require.NotSame(t, old.resources, p.r.Chain("ch1").resources, "another channel of the same name")
}

// Joining and removing from many sides at once leaves one of the two.
func TestJoiningAndRemovingAtOnce(t *testing.T) {
	p := newParticipant(t)
	require.NoError(t, p.begin())
	block := p.genesis("ch1")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				_, _ = p.r.JoinChannel("ch1", proto.Clone(block).(*cb.Block), true)
				_ = p.r.ChannelList()
			}
		})
		wg.Go(func() {
			for range 10 {
				_ = p.r.RemoveChannel("ch1")
				_, _ = p.r.ChannelInfo("ch1")
			}
		})
	}
	wg.Wait()
	require.Empty(t, p.joining())
	_, err := p.r.ChannelInfo("ch1")
	_, onDisk := os.Stat(p.net.Path("participant", "chains", "ch1"))
	require.Equal(t, err == nil, onDisk == nil)
}

package multichannel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/blockledger"
	"raftmig/orderer/blockledger/fileledger"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/metrics"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// testConsenter makes chains that do nothing but be there.
type testConsenter struct {
	mu      sync.Mutex
	started []string
	err     error
	given   map[string]*cb.Metadata
}

func (c *testConsenter) HandleChain(s consensus.ConsenterSupport, md *cb.Metadata) (consensus.Chain, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given == nil {
		c.given = map[string]*cb.Metadata{}
	}
	c.given[s.ChannelID()] = md
	return &testChain{consenter: c, id: s.ChannelID()}, c.err
}

type testChain struct {
	consensus.Chain
	consenter *testConsenter
	id        string
	halted    bool
	onHalt    func() // may be nil
}

func (c *testChain) Start() {
	c.consenter.mu.Lock()
	defer c.consenter.mu.Unlock()
	c.consenter.started = append(c.consenter.started, c.id)
}
func (c *testChain) Halt() {
	c.halted = true
	if c.onHalt != nil {
		c.onHalt()
	}
}

// failingLedgers makes ledgers whose Append fails when told to.
type failingLedgers struct {
	blockledger.Factory
	fail  map[string]error
	list  error // of ChannelIDs
	plain bool  // the ledgers as they are
}

func (f *failingLedgers) ChannelIDs() ([]string, error) {
	if f.list != nil {
		return nil, f.list
	}
	return f.Factory.ChannelIDs()
}

func (f *failingLedgers) GetOrCreate(id string) (blockledger.ReadWriter, error) {
	l, err := f.Factory.GetOrCreate(id)
	if f.plain {
		return l, err
	}
	return &failingLedger{l, f, id}, err
}

type failingLedger struct {
	blockledger.ReadWriter
	of *failingLedgers
	id string
}

func (l *failingLedger) Append(b *cb.Block) error {
	if err := l.of.fail[l.id]; err != nil {
		return err
	}
	return l.ReadWriter.Append(b)
}

type world struct {
	t         *testing.T
	net       *fixture.Network
	ledgers   *failingLedgers
	consenter *testConsenter
	configs   []string
	fatal     chan error
	log       *observer.ObservedLogs
	r         *Registrar

	consenters    map[string]consensus.Consenter // beside Kafka's
	participation Participation
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, net: fixture.New(t), consenter: &testConsenter{}, fatal: make(chan error, 10)}
	l, err := fileledger.New(w.net.Path("ledgers"), fileledger.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	w.ledgers = &failingLedgers{Factory: l, fail: map[string]error{}}
	return w
}

// bootstrap puts the genesis block into the system channel's ledger.
func (w *world) bootstrap() {
	l, err := w.ledgers.GetOrCreate("syschannel")
	require.NoError(w.t, err)
	require.NoError(w.t, l.Append(w.net.Genesis(nil)))
}

// initialize makes a registrar, as a start of the process does.
func (w *world) initialize() error {
	core, log := observer.New(zapcore.DebugLevel)
	w.log = log
	logger := zap.New(core).Sugar()
	w.consenter.started = nil
	w.r = NewRegistrar(Options{
		Ledgers: w.ledgers, Signer: w.net.Orderer(0), CutterMetrics: blockcutter.NewMetrics(metrics.Disabled{}),
		Processing: msgprocessor.Options{
			NewBundle: func(id string, c *cb.Config) (channelconfig.Resources, error) {
				b, err := channelconfig.NewBundle(id, c)
				if err != nil {
					return nil, err
				}
				return b, nil
			},
			Now: time.Now, Logger: logger,
		},
		OnConfig: func(id string, _ channelconfig.Resources) { w.configs = append(w.configs, id) },
		Fatal:    func(err error) { w.fatal <- err },
		Logger:   logger, Participation: w.participation,
	})
	all := map[string]consensus.Consenter{channelconfig.ConsensusKafka: w.consenter}
	maps.Copy(all, w.consenters)
	return w.r.Initialize(all)
}

func (w *world) logged(text string) bool {
	for _, e := range w.log.All() {
		if e.Message == text {
			return true
		}
	}
	return false
}

// createCh1 has the system channel write the block that creates ch1.
func (w *world) createCh1() {
	s := w.r.SystemChannel()
	msg, _, err := s.ProcessConfigUpdateMsg(protoutil.NewMessage(w.net.Creation()))
	require.NoError(w.t, err)
	s.WriteConfigBlock(s.CreateNextBlock([]*protoutil.Message{msg}), []byte{8, 5})
}

// update has a channel write a config block that changes ConsensusType.
func (w *world) update(c *ChainSupport, change func(*ab.ConsensusType)) *cb.Block {
	config := c.Resources().ConfigtxValidator().ConfigProto()
	v := fixture.ConsensusType(w.t, config)
	change(v)
	admin := w.net.OrdererAdmin()
	u := fixture.OrdererUpdate(c.ChannelID(), config, map[string]proto.Message{channelconfig.ConsensusTypeKey: v})
	msg, _, err := c.ProcessConfigUpdateMsg(protoutil.NewMessage(w.net.SignedUpdate(u, admin, admin)))
	require.NoError(w.t, err)
	block := c.CreateNextBlock([]*protoutil.Message{msg})
	c.WriteConfigBlock(block, []byte{8, 5})
	return block
}

func (w *world) message(text string) *protoutil.Message {
	return protoutil.NewMessage(w.net.Message("ch1", w.net.OrgUser("User1"), text))
}

func slot(b *cb.Block, i cb.BlockMetadataIndex) string {
	return hex.EncodeToString(b.Metadata.Metadata[i])
}

// The bytes of spec A.2 in the blocks of a channel's life.
func TestBlocksHaveTheMetadataOfFabric(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	require.True(t, w.logged(fmt.Sprintf("Starting system channel 'syschannel' with genesis block hash %x and orderer type kafka",
		protoutil.BlockHeaderHash(w.net.Genesis(nil).Header))))
	w.createCh1()
	c := w.r.Chain("ch1")
	require.NotNil(t, c)
	require.True(t, w.logged("Created and started new channel ch1"))

	genesis := c.Block(0)
	require.Empty(t, genesis.Header.PreviousHash)
	require.Len(t, genesis.Metadata.Metadata, 5)
	for i := range genesis.Metadata.Metadata {
		require.Empty(t, genesis.Metadata.Metadata[i], "slot %d", i)
	}
	creating := w.r.SystemChannel().Block(1)
	require.Equal(t, "", slot(creating, cb.BlockMetadataIndex_LAST_CONFIG), "the system channel's last config does not move")

	tx := c.CreateNextBlock([]*protoutil.Message{w.message("1")})
	c.WriteBlock(tx, []byte{8, 5})
	enter := w.update(c, func(v *ab.ConsensusType) { v.State = ab.ConsensusType_STATE_MAINTENANCE })
	change := w.update(c, func(v *ab.ConsensusType) { v.Type, v.Metadata = "etcdraft", w.net.RaftMetadata(1) })
	later := c.CreateNextBlock([]*protoutil.Message{w.message("2")})
	c.WriteBlock(later, []byte{8, 6})
	require.NoError(t, w.r.Halt(time.Minute))

	for i, want := range []struct {
		block             *cb.Block
		value, lastConfig string
		orderer           string // as 1.4 has it: the same as in value
	}{
		{tx, "0a0012040a020805", "", "0a020805"},
		{enter, "0a02080212040a020805", "0a020802", "0a020805"},
		{change, "0a020803", "0a020803", ""},
		{later, "0a02080312040a020806", "0a020803", "0a020806"},
	} {
		stored := c.Block(uint64(i) + 1)
		require.True(t, proto.Equal(want.block, stored))
		md, err := protoutil.Metadata(stored, cb.BlockMetadataIndex_SIGNATURES)
		require.NoError(t, err)
		require.Equal(t, want.value, hex.EncodeToString(md.Value), "block %d", i+1)
		require.Equal(t, want.lastConfig, slot(stored, cb.BlockMetadataIndex_LAST_CONFIG), "block %d", i+1)
		require.Equal(t, want.orderer, slot(stored, cb.BlockMetadataIndex_ORDERER), "block %d", i+1)
		signed, err := protoutil.BlockAsSignedData(stored)
		require.NoError(t, err)
		require.Len(t, signed, 1)
		require.NoError(t, c.VerifyBlockSignature(signed, nil))
		signed[0].Data = append(signed[0].Data, 0)
		require.ErrorContains(t, c.VerifyBlockSignature(signed, nil), "block verification failed: ")
	}
	last, err := blockledger.LastConfigBlock(c.Reader())
	require.NoError(t, err)
	require.Equal(t, uint64(3), last.Header.Number)
}

// Vectors of spec A.2: slots SIGNATURES, LAST_CONFIG and, as 1.4 has it, ORDERER.
func TestMetadataVectors(t *testing.T) {
	signer := fixture.New(t).Orderer(0)
	for _, tc := range []struct {
		lastConfig        uint64
		metadata          []byte
		value, lastConfOf string
		orderer           string
	}{
		{1, []byte{8, 5}, "0a020801" + "1204" + "0a020805", "0a020801", "0a020805"},
		{9, nil, "0a020809", "0a020809", ""}, // the block that changes the type
		{0, nil, "0a00", "", ""},
		{0, []byte{8, 5}, "0a00" + "1204" + "0a020805", "", "0a020805"},
	} {
		b := protoutil.NewBlock(1, nil)
		require.NoError(t, sign(signer, b, tc.lastConfig, tc.metadata))
		md, err := protoutil.Metadata(b, cb.BlockMetadataIndex_SIGNATURES)
		require.NoError(t, err)
		require.Equal(t, tc.value, hex.EncodeToString(md.Value))
		require.Equal(t, tc.lastConfOf, slot(b, cb.BlockMetadataIndex_LAST_CONFIG))
		require.Equal(t, tc.orderer, slot(b, cb.BlockMetadataIndex_ORDERER))
	}
}

// refusing is a chain that refuses all metadata.
type refusing struct{ testChain }

func (refusing) ValidateConsensusMetadata(_, _ channelconfig.Orderer, newChannel bool) error {
	return fmt.Errorf("no (new channel: %v)", newChannel)
}

// Texts of spec 4.3 and 7.4 in front of what a config update is refused for.
func TestWhyAConfigUpdateIsRefused(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	w.createCh1()
	c, admin := w.r.Chain("ch1"), w.net.OrdererAdmin()
	propose := func(key string, value proto.Message) error {
		u := fixture.OrdererUpdate("ch1", c.Resources().ConfigtxValidator().ConfigProto(), map[string]proto.Message{key: value})
		_, _, err := c.ProcessConfigUpdateMsg(protoutil.NewMessage(w.net.SignedUpdate(u, admin, admin)))
		return err
	}
	const prefix = "error applying config update to existing channel 'ch1': "
	require.EqualError(t, propose(channelconfig.CapabilitiesKey, &cb.Capabilities{Capabilities: map[string]*cb.Capability{"V9_9": {}}}),
		prefix+"config update is not compatible: config requires unsupported orderer capabilities: Orderer capability V9_9 is required but not supported")
	c.metadata = refusing{}
	require.EqualError(t, propose(channelconfig.BatchTimeoutKey, &ab.BatchTimeout{Timeout: "3s"}),
		prefix+"consensus metadata update for channel config update is invalid: no (new channel: false)")
	w.r.SystemChannel().metadata = refusing{}
	_, _, err := w.r.SystemChannel().ProcessConfigUpdateMsg(protoutil.NewMessage(w.net.SignedUpdate(renamed(w.net.CreationUpdate(), "ch2"), w.net.OrgUser("Admin"), w.net.OrgUser("Admin"))))
	require.EqualError(t, err, "consensus metadata update for channel creation is invalid: no (new channel: true)")
	// the well-known answer to creating a channel twice (spec 7.1)
	c.metadata = nil
	_, _, err = c.ProcessConfigUpdateMsg(protoutil.NewMessage(w.net.Creation()))
	require.EqualError(t, err, prefix+"error authorizing update: error validating ReadSet: proposed update requires that key "+
		"[Group]  /Channel/Application be at version 0, but it is currently at version 1")
}

func renamed(u *cb.ConfigUpdate, channel string) *cb.ConfigUpdate {
	u.ChannelId = channel
	return u
}

func TestARestartContinuesWhereTheLedgersEnd(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	w.createCh1()
	require.NoError(t, w.r.Halt(time.Minute))

	require.NoError(t, w.initialize())
	require.Equal(t, []string{"ch1", "syschannel"}, w.consenter.started, "the system channel is started last")
	require.Equal(t, []byte{8, 5}, w.consenter.given["syschannel"].Value, "the consenter gets the last block's metadata")
	require.Equal(t, []string{"ch1", "syschannel"}, w.r.ChannelIDs())
	require.Equal(t, 2, w.r.ChannelsCount())
	c := w.r.Chain("ch1")
	next := c.CreateNextBlock(nil)
	require.Equal(t, uint64(1), next.Header.Number)
	require.Equal(t, protoutil.BlockHeaderHash(c.Block(0).Header), next.Header.PreviousHash)
	w.createCh1AgainIsSkipped()
}

// A creation that is ordered again, after a crash before its block was
// written, leaves the channel alone.
func (w *world) createCh1AgainIsSkipped() {
	before := w.r.Chain("ch1")
	payload, err := protoutil.EnvelopePayload(mustEnvelope(w.t, w.r.SystemChannel().Block(1)))
	require.NoError(w.t, err)
	created, err := protoutil.ParseMessage(payload.Data)
	require.NoError(w.t, err)
	require.NoError(w.t, w.r.newChannel(created))
	require.Same(w.t, before, w.r.Chain("ch1"))
	require.True(w.t, w.logged("Channel ch1 already created, skipping its creation"))
}

func mustEnvelope(t *testing.T, b *cb.Block) *cb.Envelope {
	env, err := protoutil.EnvelopeAt(b, 0)
	require.NoError(t, err)
	return env
}

// A crash between making a channel's folder and writing its genesis block.
func TestAnEmptyLedgerIsLeftForItsCreation(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	_, err := w.ledgers.GetOrCreate("ch1")
	require.NoError(t, err)
	require.NoError(t, w.initialize())
	require.Nil(t, w.r.Chain("ch1"))
	w.createCh1()
	require.Equal(t, uint64(1), w.r.Chain("ch1").Height())
}

func TestWhatCannotBeStarted(t *testing.T) {
	t.Run("no consenter", func(t *testing.T) {
		w := newWorld(t)
		w.bootstrap()
		require.NoError(t, w.initialize())
		w.createCh1()
		c := w.r.Chain("ch1")
		w.update(c, func(v *ab.ConsensusType) { v.State = ab.ConsensusType_STATE_MAINTENANCE })
		w.update(c, func(v *ab.ConsensusType) { v.Type, v.Metadata = "etcdraft", w.net.RaftMetadata(1) })
		require.EqualError(t, w.initialize(), "Failed to create chain support for channel 'ch1', error: error retrieving consenter of type: etcdraft")
	})
	t.Run("consenter refuses", func(t *testing.T) {
		w := newWorld(t)
		w.bootstrap()
		w.consenter.err = errors.New("etcdraft options have not been provided")
		require.EqualError(t, w.initialize(), "Error creating chain support: error creating consenter for channel: syschannel: etcdraft options have not been provided")
	})
	t.Run("two system channels", func(t *testing.T) {
		w := newWorld(t)
		w.bootstrap()
		other := w.net.Genesis(nil)
		payload, err := protoutil.EnvelopePayload(mustEnvelope(t, other))
		require.NoError(t, err)
		h, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
		require.NoError(t, err)
		h.ChannelId = "another"
		payload.Header.ChannelHeader = protoutil.MustMarshal(h)
		block := protoutil.NewBlockOf(0, nil, []*protoutil.Message{protoutil.NewMessage(&cb.Envelope{Payload: protoutil.MustMarshal(payload)})})
		l, err := w.ledgers.GetOrCreate("another")
		require.NoError(t, err)
		require.NoError(t, l.Append(block))
		require.EqualError(t, w.initialize(), "There appear to be two system channels another and syschannel")
	})
	t.Run("unknown capability", func(t *testing.T) {
		w := newWorld(t)
		l, err := w.ledgers.GetOrCreate("syschannel")
		require.NoError(t, err)
		require.NoError(t, l.Append(w.net.Genesis(func(c *cb.Config) {
			fixture.OrdererValues(c)[channelconfig.CapabilitiesKey].Value =
				protoutil.MustMarshal(&cb.Capabilities{Capabilities: map[string]*cb.Capability{"V9_9": {}}})
		})))
		require.ErrorContains(t, w.initialize(), "Error creating ledger resources: error checking bundle for channel: syschannel: config requires unsupported orderer capabilities: ")
	})
	t.Run("ledgers that cannot be listed", func(t *testing.T) {
		w := newWorld(t)
		w.bootstrap()
		w.ledgers.list = errors.New("input/output error")
		require.EqualError(t, w.initialize(), "Error creating ledger resources: input/output error")
	})
	t.Run("nothing at all is fine", func(t *testing.T) {
		w := newWorld(t)
		require.NoError(t, w.initialize())
		require.True(t, w.logged("Registrar initializing without a system channel, number of application channels: 0, with 0 consensus.Chain(s) and 0 follower.Chain(s)"))
	})
}

// A block that cannot be stored ends the process: it is reported once, nothing
// is stored after it, and the writer waits for the end.
func TestAFailureToStoreIsFatal(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	w.createCh1()
	c := w.r.Chain("ch1")
	w.ledgers.fail["ch1"] = errors.New("disk full")
	c.WriteBlock(c.CreateNextBlock([]*protoutil.Message{w.message("1")}), nil)
	require.EqualError(t, <-w.fatal, "[channel: ch1] Could not append block: disk full")
	delete(w.ledgers.fail, "ch1")
	second := make(chan struct{})
	go func() {
		defer close(second)
		c.WriteBlock(c.CreateNextBlock([]*protoutil.Message{w.message("2")}), nil) // waits for the end
	}()
	require.NoError(t, w.r.Halt(time.Minute))
	<-second
	c.writer.flush()
	require.Equal(t, uint64(1), c.Height())
	require.Empty(t, w.fatal)
}

func TestAConfigBlockThatCannotBeAppliedIsFatal(t *testing.T) {
	for want, msg := range map[string]func(w *world, c *ChainSupport) *protoutil.Message{
		"could not apply it: ": func(w *world, c *ChainSupport) *protoutil.Message {
			env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG, ChannelID: "ch1", Data: &cb.ConfigEnvelope{Config: &cb.Config{Sequence: 2}}}, nil)
			require.NoError(w.t, err)
			return protoutil.NewMessage(env)
		},
		"its header type is unknown: MESSAGE":      func(w *world, _ *ChainSupport) *protoutil.Message { return w.message("x") },
		"could not create the new channel: ":       func(w *world, _ *ChainSupport) *protoutil.Message { return w.orderer([]byte{}) },
		"it did not have config update embedded: ": func(w *world, _ *ChainSupport) *protoutil.Message { return w.orderer([]byte{1}) },
	} {
		w := newWorld(t)
		w.bootstrap()
		require.NoError(t, w.initialize())
		w.createCh1()
		c := w.r.Chain("ch1")
		block := c.CreateNextBlock([]*protoutil.Message{msg(w, c)})
		done := make(chan struct{})
		go func() { defer close(done); c.WriteConfigBlock(block, nil) }()
		require.ErrorContains(t, <-w.fatal, "[channel: ch1] Told to write a config block [1], but "+want)
		require.NoError(t, w.r.Halt(time.Minute))
		<-done
		require.Equal(t, uint64(1), c.Height())
	}
}

func (w *world) orderer(data []byte) *protoutil.Message {
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_ORDERER_TRANSACTION, ChannelID: "syschannel", Bytes: data}, nil)
	require.NoError(w.t, err)
	return protoutil.NewMessage(env)
}

func TestRoute(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.initialize())
	_, _, _, err := w.r.Route(w.message("x"))
	require.EqualError(t, err, "channel creation request not allowed because the orderer system channel is not defined")
	w.bootstrap()
	require.NoError(t, w.initialize())
	w.createCh1()

	h, isConfig, c, err := w.r.Route(w.message("x"))
	require.NoError(t, err)
	require.Equal(t, "ch1", h.ChannelId)
	require.False(t, isConfig)
	require.Same(t, w.r.Chain("ch1"), c)

	_, isConfig, c, err = w.r.Route(protoutil.NewMessage(w.net.Creation()))
	require.NoError(t, err)
	require.True(t, isConfig)
	require.Same(t, w.r.Chain("ch1"), c)

	_, _, c, err = w.r.Route(protoutil.NewMessage(w.net.Message("nowhere", w.net.OrgUser("User1"), "x")))
	require.NoError(t, err)
	require.Same(t, w.r.SystemChannel(), c, "the system channel answers for unknown ones")

	h, _, _, err = w.r.Route(w.orderer(nil))
	require.EqualError(t, err, "message is of type that cannot be processed directly")
	require.NotNil(t, h)
	h, _, _, err = w.r.Route(protoutil.NewMessage(&cb.Envelope{}))
	require.EqualError(t, err, "could not determine channel ID: header not set")
	require.Nil(t, h)
}

func TestCreateChainMakesAChannelAnew(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	require.ErrorContains(t, w.r.CreateChain("ch1"), "its ledger is empty")
	w.createCh1()
	old := w.r.Chain("ch1")
	require.NoError(t, w.r.CreateChain("ch1"))
	require.NotSame(t, old, w.r.Chain("ch1"))
	require.True(t, old.chain.(*testChain).halted)
	require.NoError(t, w.r.CreateChain("syschannel"))
	require.Same(t, w.r.Chain("syschannel"), w.r.SystemChannel())
	_, _, err := w.r.SystemChannel().ProcessConfigUpdateMsg(protoutil.NewMessage(w.net.Creation()))
	require.NoError(t, err, "still creates channels")
}

// What watches the inactive channels goes on while the chains are halted. A
// chain that it made then would be halted by nobody.
func TestNoChainIsMadeAnewOnceChainsAreHalted(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	w.createCh1()
	chain := w.r.Chain("ch1")
	var err error
	chain.chain.(*testChain).onHalt = func() { err = w.r.CreateChain("ch1") }
	require.NoError(t, w.r.Halt(time.Minute))
	require.ErrorIs(t, err, errStopping)
	require.Same(t, chain, w.r.Chain("ch1"))
}

func TestAppendStoresABlockAsItIs(t *testing.T) {
	w := newWorld(t)
	w.bootstrap()
	require.NoError(t, w.initialize())
	w.createCh1()
	c := w.r.Chain("ch1")
	b := c.CreateNextBlock([]*protoutil.Message{w.message("x")})
	require.NoError(t, c.Append(b))
	require.True(t, proto.Equal(b, c.Block(1)))
	require.Equal(t, uint64(2), c.CreateNextBlock(nil).Header.Number)
	require.Error(t, c.Append(b), "the same block again")
	require.Nil(t, c.Block(7))
}

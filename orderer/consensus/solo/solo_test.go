package solo

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/consensus"
	"raftmig/orderer/protoutil"
)

const batchTimeout = time.Second

// channel is a channel in memory: what was written, as "12 3 [config]" for a
// block with messages 1 and 2, one with 3, and a config block.
type channel struct {
	consensus.ConsenterSupport // not called where it is not overridden

	orderer  ordererConfig
	cutter   blockcutter.Receiver
	sequence uint64
	invalid  string // messages that the configuration in force refuses
	writes   []string
	metadata [][]byte
}

type ordererConfig struct{ channelconfig.Orderer }

func (ordererConfig) BatchTimeout() time.Duration { return batchTimeout }

func newChannel() *channel {
	c := &channel{}
	c.cutter = blockcutter.New(func() *ab.BatchSize {
		return &ab.BatchSize{MaxMessageCount: 3, AbsoluteMaxBytes: 1000, PreferredMaxBytes: 100}
	})
	return c
}

func (c *channel) ChannelID() string                   { return "ch" }
func (c *channel) SharedConfig() channelconfig.Orderer { return c.orderer }
func (c *channel) BlockCutter() blockcutter.Receiver   { return c.cutter }
func (c *channel) Sequence() uint64                    { return c.sequence }

func (c *channel) ProcessNormalMsg(m *protoutil.Message) (uint64, error) {
	return c.sequence, c.judge(m)
}

// ProcessConfigMsg makes the message anew, as its capital letter.
func (c *channel) ProcessConfigMsg(m *protoutil.Message) (*protoutil.Message, uint64, error) {
	return message(strings.ToUpper(string(m.Envelope.Payload))), c.sequence, c.judge(m)
}

func (c *channel) judge(m *protoutil.Message) error {
	if strings.Contains(c.invalid, string(m.Envelope.Payload)) {
		return errors.New("not any more")
	}
	return nil
}

func (c *channel) CreateNextBlock(messages []*protoutil.Message) *cb.Block {
	return protoutil.NewBlockOf(uint64(len(c.writes)), nil, messages)
}

func (c *channel) WriteBlock(b *cb.Block, metadata []byte) { c.write(b, metadata, "", "") }

func (c *channel) WriteConfigBlock(b *cb.Block, metadata []byte) {
	c.sequence++
	c.write(b, metadata, "[", "]")
}

func (c *channel) write(b *cb.Block, metadata []byte, before, after string) {
	text := ""
	for _, data := range b.Data.Data {
		env, err := protoutil.UnmarshalEnvelope(data)
		if err != nil {
			panic(err)
		}
		text += string(env.Payload)
	}
	c.writes, c.metadata = append(c.writes, before+text+after), append(c.metadata, metadata)
}

func message(text string) *protoutil.Message {
	return protoutil.NewMessage(&cb.Envelope{Payload: []byte(text)})
}

// start makes a running chain.
func start(t *testing.T, c *channel) (*Chain, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	chain, err := New(Options{Logger: zap.New(core).Sugar()}).HandleChain(c, &cb.Metadata{Value: []byte("of another consenter")})
	require.NoError(t, err)
	require.Len(t, logs.FilterMessage("Use of the Solo orderer is deprecated and remains only for use in test environments but may be removed in the future.").All(), 1)
	chain.Start()
	return chain.(*Chain), logs
}

// What Fabric's solo consenter does with messages, timers and configurations
// (its orderer/consensus/solo, and spec 6.4 for the cutter). Steps: a digit or
// two orders a message under sequence 0, "c" a config message under it, "=x"
// message x under the sequence in force, "~" lets the batch timeout pass, "-"
// half of it, "L" orders a large message, "!x" makes x invalid.
func TestOrdering(t *testing.T) {
	large := strings.Repeat("L", 101)
	for _, tc := range []struct{ name, steps, want string }{
		{"a batch is cut by count", "1 2 3", "123"},
		{"or by the timeout", "1 2 ~ 3 ~", "12 3"},
		{"which runs from the batch's first message", "1 - 2 -", "12"},
		{"not from the last cut", "1 - 2 3 - 4 -", "123"},
		{"it stops when nothing is pending", "1 2 3 ~ ~", "123"},
		{"a large message goes alone, behind what was pending", "1 L 2 ~", "1 " + large + " 2"},
		{"a config message goes alone, behind what was pending", "1 c =2 ~", "1 [c] 2"},
		{"it stops the timer", "1 - c =2 -", "1 [c]"},
		{"two config messages are two blocks; the second is made anew", "c d", "[c] [D]"},
		{"an older message is judged anew and may be good", "c 1 ~", "[c] 1"},
		{"or not be", "c !1 1 2 ~", "[c] 2"},
		{"which leaves the batch and its timer alone", "c !2 =1 - 2 -", "[c] 1"},
		{"a message of the sequence in force is not judged again", "c !1 =1 ~", "[c] 1"},
		{"an older config message may be bad", "c !d =1 d ~", "[c] 1"},
		{"one of the sequence in force is not made anew", "c =d", "[c] [d]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newChannel()
				chain, _ := start(t, c)
				for step := range strings.FieldsSeq(tc.steps) {
					synctest.Wait()
					do(t, chain, c, step, large)
				}
				synctest.Wait()
				got := strings.Join(c.writes, " ")
				chain.Halt()
				require.Equal(t, tc.want, got)
				for _, metadata := range c.metadata {
					require.Nil(t, metadata, "the first Raft start detects the migration by it (spec 2.3)")
				}
			})
		})
	}
}

func do(t *testing.T, chain *Chain, c *channel, step, large string) {
	seq := uint64(0)
	if rest, ok := strings.CutPrefix(step, "="); ok {
		step, seq = rest, c.sequence
	}
	switch {
	case step == "~":
		time.Sleep(batchTimeout + time.Millisecond)
	case step == "-":
		time.Sleep(batchTimeout/2 + time.Millisecond)
	case step[0] == '!':
		c.invalid += step[1:]
	case step == "L":
		require.NoError(t, chain.Order(message(large), seq))
	case step == "c" || step == "d":
		require.NoError(t, chain.Configure(message(step), seq))
	default:
		require.NoError(t, chain.Order(message(step), seq))
	}
}

func TestAChainThatIsHaltedWritesWhatItAcceptedAndRefusesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChannel()
		chain, _ := start(t, c)
		require.NoError(t, chain.WaitReady())
		require.NoError(t, chain.Order(message("1"), 0))
		select {
		case <-chain.Errored():
			require.Fail(t, "a running chain has no error")
		default:
		}
		chain.Halt()
		chain.Halt()
		require.Equal(t, []string{"1"}, c.writes)
		<-chain.Errored()
		require.EqualError(t, chain.Order(message("2"), 0), "Exiting")
		require.EqualError(t, chain.Configure(message("c"), 0), "Exiting")
		require.NoError(t, chain.WaitReady())
		require.Equal(t, []string{"1"}, c.writes)
	})
}

func TestWhatIsDiscardedIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChannel()
		chain, logs := start(t, c)
		require.NoError(t, chain.Configure(message("c"), 0))
		synctest.Wait()
		c.invalid = "1d"
		require.NoError(t, chain.Order(message("1"), 0))
		require.NoError(t, chain.Configure(message("d"), 0))
		synctest.Wait()
		require.Equal(t, 1, logs.FilterMessage("Discarding bad normal message: not any more").FilterLevelExact(zapcore.WarnLevel).Len())
		require.Equal(t, 1, logs.FilterMessage("Discarding bad config message: not any more").FilterLevelExact(zapcore.WarnLevel).Len())
		chain.Halt()
	})
}

type tracker map[string]*cb.Block

func (t tracker) TrackChain(channelID string, genesis *cb.Block) { t[channelID] = genesis }

func (c *channel) Block(number uint64) *cb.Block { return protoutil.NewBlock(number, nil) }

func TestANodeOfClusterTypeDoesNotOrderWhatWasLeftOnSolo(t *testing.T) {
	tracked := tracker{}
	chain, err := New(Options{Logger: zap.NewNop().Sugar(), Inactive: tracked}).HandleChain(newChannel(), nil)
	require.NoError(t, err)
	require.EqualError(t, chain.Order(message("1"), 0), "channel ch is not serviced by me")
	require.NotNil(t, tracked["ch"])
}

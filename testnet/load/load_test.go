package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/broadcast"
	"raftmig/orderer/protoutil"
	"raftmig/testnet/validate"
)

type signer struct{}

func (signer) Sign([]byte) ([]byte, error)     { return []byte("signature"), nil }
func (signer) Serialize() ([]byte, error)      { return []byte("creator"), nil }
func signerOf(channel string) protoutil.Signer { return signer{} }

// network answers as answers say, and remembers what it accepted.
type network struct {
	mu     sync.Mutex
	calls  int
	seen   map[string]int // node → calls
	ledger map[string]int // tx → times
	answer func(call int, node string) error
}

func (n *network) Send(_ context.Context, node string, env *cb.Envelope) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls++
	if n.seen == nil {
		n.seen, n.ledger = map[string]int{}, map[string]int{}
	}
	n.seen[node]++
	var err error
	if n.answer != nil {
		err = n.answer(n.calls, node)
	}
	if err == nil || errors.Is(err, broadcast.ErrUnknownOutcome) {
		ch, _ := protoutil.ChannelHeader(env)
		n.ledger[ch.TxId]++
	}
	return err
}

func options(t *testing.T, n int) Options {
	return Options{
		Channels: []string{"ch1", "ch2"}, Nodes: []string{"o0", "o1", "o2"}, Transactions: n,
		Signer: signerOf, History: filepath.Join(t.TempDir(), "load", "history.jsonl"),
	}
}

func TestEveryTransactionIsSentOnceAndRecorded(t *testing.T) {
	n := &network{}
	o := options(t, 301)
	var progress []int
	var mu sync.Mutex
	o.Progress = func(done int) { mu.Lock(); progress = append(progress, done); mu.Unlock() }
	r, err := Run(t.Context(), n, o)
	require.NoError(t, err)
	require.Equal(t, 301, r.Acknowledged)
	require.Equal(t, map[string]int{"ch1": 151, "ch2": 150}, r.PerChannel)
	require.ElementsMatch(t, []int{100, 200, 300, 301}, progress)
	sent, err := validate.ReadHistory(o.History)
	require.NoError(t, err)
	require.Len(t, sent, 301)
	for _, s := range sent {
		require.True(t, s.Acknowledged)
		require.False(t, s.Resent)
		require.Equal(t, 1, n.ledger[s.TxID])
	}
}

// meeting answers when as many senders wait as it has room for.
type meeting struct {
	room  sync.WaitGroup
	mu    sync.Mutex
	nodes map[string]int
}

func (m *meeting) Send(_ context.Context, node string, _ *cb.Envelope) error {
	m.mu.Lock()
	m.nodes[node]++
	m.mu.Unlock()
	m.room.Done()
	m.room.Wait()
	return nil
}

func TestStreamsSendAtTheSameTimeToAllNodes(t *testing.T) {
	m := &meeting{nodes: map[string]int{}}
	m.room.Add(6)
	o := options(t, 6)
	o.Streams = 6
	_, err := Run(t.Context(), m, o)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"o0": 2, "o1": 2, "o2": 2}, m.nodes)
}

func TestRefusalsForTheMomentAreTriedOnTheNextNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{answer: func(_ int, node string) error {
			if node != "o2" {
				return &broadcast.StatusError{Node: node, Status: cb.Status_SERVICE_UNAVAILABLE, Info: "no Raft leader"}
			}
			return nil
		}}
		r, err := Run(t.Context(), n, options(t, 20))
		require.NoError(t, err)
		require.Equal(t, 20, r.Acknowledged)
		for _, times := range n.ledger {
			require.Equal(t, 1, times)
		}
	})
}

func TestAnUnclearRefusalIsMarkedAsResent(t *testing.T) {
	for info, resent := range map[string]bool{
		"rejected by Consenter: backing Kafka cluster has not completed booting; try again later": false,
		"no Raft leader": false,
		"cannot enqueue": true,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{answer: func(call int, node string) error {
				if call == 1 {
					return &broadcast.StatusError{Node: node, Status: cb.Status_SERVICE_UNAVAILABLE, Info: info}
				}
				return nil
			}}
			o := options(t, 1)
			_, err := Run(t.Context(), n, o)
			require.NoError(t, err)
			sent, err := validate.ReadHistory(o.History)
			require.NoError(t, err)
			require.Equal(t, resent, sent[0].Resent, info)
		})
	}
}

func TestRefusalsForGoodAreRecorded(t *testing.T) {
	n := &network{answer: func(_ int, node string) error {
		return &broadcast.StatusError{Node: node, Status: cb.Status_FORBIDDEN, Info: "no"}
	}}
	r, err := Run(t.Context(), n, options(t, 5))
	require.NoError(t, err)
	require.Equal(t, 5, r.Refused)
	require.Equal(t, 5, n.calls)
}

func TestWithoutAnAnswerTheOutcomeIsUnknownAndNothingIsSentTwice(t *testing.T) {
	n := &network{answer: func(call int, _ string) error {
		if call%2 == 0 {
			return fmt.Errorf("lost: %w", broadcast.ErrUnknownOutcome)
		}
		return nil
	}}
	o := options(t, 10)
	o.Streams = 1
	r, err := Run(t.Context(), n, o)
	require.NoError(t, err)
	require.Equal(t, 5, r.Unknown)
	require.Equal(t, 5, r.Acknowledged)
	for _, times := range n.ledger {
		require.Equal(t, 1, times)
	}
}

func TestResendUnknownSendsAgainAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{answer: func(call int, _ string) error {
			if call == 1 {
				return fmt.Errorf("lost: %w", broadcast.ErrUnknownOutcome)
			}
			return nil
		}}
		o := options(t, 1)
		o.Resend = ResendUnknown
		r, err := Run(t.Context(), n, o)
		require.NoError(t, err)
		require.Equal(t, 1, r.Acknowledged)
		sent, err := validate.ReadHistory(o.History)
		require.NoError(t, err)
		require.True(t, sent[0].Resent)
	})
}

func TestARefusalAfterALostAnswerStaysUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{answer: func(call int, node string) error {
			if call == 1 {
				return fmt.Errorf("lost: %w", broadcast.ErrUnknownOutcome)
			}
			return &broadcast.StatusError{Node: node, Status: cb.Status_FORBIDDEN}
		}}
		o := options(t, 1)
		o.Resend = ResendUnknown
		r, err := Run(t.Context(), n, o)
		require.NoError(t, err)
		require.Equal(t, 1, r.Unknown)
	})
}

func TestTheEndOfTheContextEndsTheLoadWithWhatWasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := &network{answer: func(call int, node string) error {
			if call == 7 {
				cancel()
			}
			if call > 6 {
				return errors.New("cannot connect")
			}
			return nil
		}}
		o := options(t, 100)
		o.Streams = 1
		r, err := Run(ctx, n, o)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 6, r.Acknowledged)
		require.Equal(t, 1, r.Refused)
		sent, err := validate.ReadHistory(o.History)
		require.NoError(t, err)
		require.Len(t, sent, 7)
	})
}

func TestHistoriesGrowAndTornLinesAreDropped(t *testing.T) {
	o := options(t, 2)
	require.NoError(t, os.MkdirAll(filepath.Dir(o.History), 0o755))
	require.NoError(t, os.WriteFile(o.History, []byte(`{"tx_id":"a","channel":"c","status":"acknowledged"}`+"\n"+`{"tx_id":"b"`), 0o644))
	_, err := Run(t.Context(), &network{}, o)
	require.NoError(t, err)
	sent, err := validate.ReadHistory(o.History)
	require.NoError(t, err)
	require.Len(t, sent, 3)
}

func TestBadOptionsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"needs a channel":        func(o *Options) { o.Channels = nil },
		"needs a node":           func(o *Options) { o.Nodes = nil },
		"must not be negative":   func(o *Options) { o.Transactions = -1 },
		`resend policy "always"`: func(o *Options) { o.Resend = "always" },
		"needs a history file":   func(o *Options) { o.History = "" },
		"opening the history":    func(o *Options) { o.History = "/dev/null/x" },
	} {
		o := options(t, 1)
		change(&o)
		_, err := Run(t.Context(), &network{}, o)
		require.ErrorContains(t, err, want)
	}
}

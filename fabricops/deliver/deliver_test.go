package deliver_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/protoutil"
)

func client(t *testing.T, net *fakenet.Network, id inventory.Identity) (*deliver.Client, *dial.Pool) {
	t.Helper()
	signer, err := identity.Load(id)
	require.NoError(t, err)
	pool := dial.New(net.Inventory().Orderers, signer.TLS)
	t.Cleanup(func() { _ = pool.Close() })
	return deliver.New(pool, signer), pool
}

func network(t *testing.T) *fakenet.Network {
	net := fakenet.New(t, 1)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel))
	return net
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestReadingBlocks(t *testing.T) {
	net := network(t)
	c, _ := client(t, net, net.Crypto.Admin())
	blocks := net.Blocks(fakenet.Channel)
	last := uint64(len(blocks) - 1)
	ctx := limited(t)

	b, err := c.Newest(ctx, "orderer0", fakenet.Channel)
	require.NoError(t, err)
	require.True(t, proto.Equal(blocks[last], b))

	b, err = c.Block(ctx, "orderer0", fakenet.Channel, 2)
	require.NoError(t, err)
	require.True(t, proto.Equal(blocks[2], b))

	head, err := c.Head(ctx, "orderer0", fakenet.Channel, nil)
	require.NoError(t, err)
	require.Equal(t, last+1, head.Height())
	index, err := protoutil.LastConfigIndex(blocks[last])
	require.NoError(t, err)
	require.NotEqual(t, last, index, "the fixture ends with transactions")
	require.Equal(t, index, head.Config.Header.Number)

	before := net.Deliveries(fakenet.Channel)
	known, err := c.Head(ctx, "orderer0", fakenet.Channel, func(n uint64) *cb.Block {
		require.Equal(t, index, n)
		return head.Config
	})
	require.NoError(t, err)
	require.Same(t, head.Config, known.Config)
	require.Equal(t, 1, net.Deliveries(fakenet.Channel)-before, "a config block that is known is not read again")

	var numbers []uint64
	require.NoError(t, c.Range(ctx, "orderer0", fakenet.Channel, 1, 3, func(b *cb.Block) error {
		numbers = append(numbers, b.Header.Number)
		return nil
	}))
	require.Equal(t, []uint64{1, 2, 3}, numbers)
}

func TestFollowWaitsForBlocksToCome(t *testing.T) {
	net := network(t)
	net.Lag(0, fakenet.Channel, 2)
	c, _ := client(t, net, net.Crypto.Admin())
	last := uint64(len(net.Blocks(fakenet.Channel)) - 1)
	var numbers []uint64
	err := c.Follow(limited(t), "orderer0", fakenet.Channel, last-2, func(b *cb.Block) (bool, error) {
		numbers = append(numbers, b.Header.Number)
		net.Lag(0, fakenet.Channel, int(last-b.Header.Number)-min(1, int(last-b.Header.Number))) // one more appears
		return b.Header.Number < last, nil
	})
	require.NoError(t, err)
	require.Equal(t, []uint64{last - 2, last - 1, last}, numbers)

	stop := errors.New("stop")
	require.ErrorIs(t, c.Follow(limited(t), "orderer0", fakenet.Channel, 0, func(*cb.Block) (bool, error) { return true, stop }), stop)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = c.Follow(ctx, "orderer0", fakenet.Channel, last+1, func(*cb.Block) (bool, error) { return true, nil })
	require.ErrorContains(t, err, "no answer in time")
}

func TestAnswersThatAreNoBlocks(t *testing.T) {
	net := network(t)
	ctx := limited(t)
	c, _ := client(t, net, net.Crypto.Admin())
	var s *deliver.StatusError

	_, err := c.Newest(ctx, "orderer0", "nowhere")
	require.ErrorAs(t, err, &s)
	require.Equal(t, cb.Status_NOT_FOUND, s.Status)
	_, err = c.Block(ctx, "orderer0", fakenet.Channel, 1000)
	require.ErrorAs(t, err, &s)
	require.Equal(t, cb.Status_NOT_FOUND, s.Status)

	maintenance := fakenet.New(t, 1)
	maintenance.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.TypeSwitched, fakenet.Channel))
	peer, _ := client(t, maintenance, maintenance.Crypto.User())
	_, err = peer.Newest(ctx, "orderer0", fakenet.Channel)
	require.ErrorAs(t, err, &s)
	require.Equal(t, cb.Status_FORBIDDEN, s.Status)
	require.ErrorContains(t, err, "the identity may not read this channel")
}

func TestBadBlocksAreRefused(t *testing.T) {
	for name, tamper := range map[string]func(*cb.Block){
		"changed data":            func(b *cb.Block) { b.Data.Data[0] = append([]byte{}, b.Data.Data[0][1:]...) },
		"another number":          func(b *cb.Block) { b.Header.Number++ },
		"no header":               func(b *cb.Block) { b.Header = nil },
		"no data":                 func(b *cb.Block) { b.Data = nil },
		"metadata that is no use": func(b *cb.Block) { b.Metadata.Metadata[0] = []byte{0xff} },
	} {
		t.Run(name, func(t *testing.T) {
			net := network(t)
			net.Tamper = func(b *cb.Block) *cb.Block {
				b = proto.Clone(b).(*cb.Block)
				tamper(b)
				return b
			}
			c, _ := client(t, net, net.Crypto.Admin())
			_, err := c.Head(limited(t), "orderer0", fakenet.Channel, nil)
			require.ErrorIs(t, err, deliver.ErrBadBlock)
		})
	}
}

func TestClientCertificatesAreBoundToRequests(t *testing.T) {
	net := fakenet.NewMutual(t, 1)
	net.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.RaftNormal, fakenet.Channel))
	with, _ := client(t, net, net.Crypto.User())
	_, err := with.Newest(limited(t), "orderer0", fakenet.Channel)
	require.NoError(t, err)
	without := net.Crypto.User()
	without.TLSCert, without.TLSKey = "", ""
	none, _ := client(t, net, without)
	_, err = none.Newest(limited(t), "orderer0", fakenet.Channel)
	require.True(t, dial.Unreachable(err), "%v", err)
}

func TestNodesThatCannotBeReached(t *testing.T) {
	net := network(t)
	c, pool := client(t, net, net.Crypto.Admin())
	_, err := c.Newest(limited(t), "orderer9", fakenet.Channel)
	require.ErrorIs(t, err, dial.ErrUnknownNode)

	require.NoError(t, net.Nodes[0].Stop(t.Context()))
	_, err = c.Newest(limited(t), "orderer0", fakenet.Channel)
	require.True(t, dial.Unreachable(err), "%v", err)
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "rpc error", "gRPC's wrapping is not for operators")

	require.NoError(t, net.Nodes[0].Start(t.Context()))
	ctx := limited(t)
	require.Eventually(t, func() bool {
		pool.Wake("orderer0")
		_, err := c.Newest(ctx, "orderer0", fakenet.Channel)
		return err == nil
	}, 5*time.Second, 20*time.Millisecond, "a node that comes back is found at once")

	inv := net.Inventory()
	inv.Orderers[0].TLSRootCAs = []string{filepath.Join(filepath.Dir(net.Crypto.User().TLSCert), "ca.crt")} // not its CA
	signer, err := identity.Load(inv.Admin)
	require.NoError(t, err)
	wrong := dial.New(inv.Orderers, nil)
	defer wrong.Close()
	_, err = deliver.New(wrong, signer).Newest(limited(t), "orderer0", fakenet.Channel)
	require.ErrorContains(t, err, "certificate signed by unknown authority")

	inv = net.Inventory()
	inv.Orderers[0].ServerName = "other.host"
	named := dial.New(inv.Orderers, nil)
	defer named.Close()
	_, err = deliver.New(named, signer).Newest(limited(t), "orderer0", fakenet.Channel)
	require.ErrorContains(t, err, "not other.host")

	require.NoError(t, pool.Close())
	_, err = c.Newest(limited(t), "orderer0", fakenet.Channel)
	require.ErrorContains(t, err, "closed")
}

func TestBroadcastTellsItsThreeOutcomesApart(t *testing.T) {
	net := network(t)
	user, err := identity.Load(net.Crypto.User())
	require.NoError(t, err)
	_, pool := client(t, net, net.Crypto.User())
	b := broadcast.New(pool)
	envelope := func(channel string) *cb.Envelope {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{ChannelID: channel, Time: time.Now(), Bytes: []byte("x")}, user)
		require.NoError(t, err)
		return env
	}
	require.NoError(t, b.Send(limited(t), "orderer0", envelope(fakenet.Channel)))

	var refused *broadcast.StatusError
	err = b.Send(limited(t), "orderer0", envelope("nowhere"))
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "channel does not exist", refused.Info)
	require.False(t, refused.Retryable())
	net.Break(fakenet.Unavailable)
	require.ErrorAs(t, b.Send(limited(t), "orderer0", envelope(fakenet.Channel)), &refused)
	require.True(t, refused.Retryable())

	net.Break(fakenet.LoseAnswer)
	require.ErrorIs(t, b.Send(limited(t), "orderer0", envelope(fakenet.Channel)), broadcast.ErrUnknownOutcome)

	require.NoError(t, net.Nodes[0].Stop(t.Context()))
	require.Eventually(t, func() bool {
		err = b.Send(t.Context(), "orderer0", envelope(fakenet.Channel))
		return err != nil && !errors.Is(err, broadcast.ErrUnknownOutcome)
	}, 5*time.Second, 20*time.Millisecond, "what was never sent is known not to have been")
}

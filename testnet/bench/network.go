package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/inventory"
	"raftmig/orderer/protoutil"
	"raftmig/testnet"
	"raftmig/testnet/portrange"
)

// host is where all nodes of a testnet listen.
const host = "127.0.0.1"

// requireConsensus fails unless every channel is ordered as is to be measured: a
// figure of something else must not look like one.
func requireConsensus(ctx context.Context, n *testnet.Network, consensus string) error {
	s, err := n.Status(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.Channels {
		if c.Type != consensus {
			return fmt.Errorf("channel %s is ordered by %q, not by %s", c.Name, c.Type, consensus)
		}
	}
	return nil
}

// enableProfiles makes every node serve its profiles and returns where.
func enableProfiles(n *testnet.Network) (map[string]string, error) {
	ports, err := portrange.Find(host, len(n.Manifest.Orderers))
	if err != nil {
		return nil, err
	}
	addresses := map[string]string{}
	for i, o := range n.Manifest.Orderers {
		file := filepath.Join(n.Dir, "orderers", o.Name, "orderer.yaml")
		conf, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		addresses[o.Name] = fmt.Sprintf("%s:%d", host, ports[i])
		general := []byte("General:\n")
		if !bytes.Contains(conf, general) {
			return nil, errors.New("orderer.yaml has no section General")
		}
		conf = bytes.Replace(conf, general, fmt.Appendf(general, "  Profile: {Enabled: true, Address: %q}\n", addresses[o.Name]), 1)
		if err := os.WriteFile(file, conf, 0o644); err != nil {
			return nil, err
		}
	}
	return addresses, nil
}

// indexSize is the number of bytes at the end of a transaction's content that
// say which of the transactions it is.
const indexSize = 8

// probe is the index of a transaction that is sent to see whether a node orders.
const probe = math.MaxUint64

// sign makes transactions of a client of the channel with content of size
// bytes, encoded.
func sign(n *testnet.Network, count, size int) ([][]byte, error) {
	signer, err := client(n)
	if err != nil {
		return nil, err
	}
	txs := make([][]byte, count)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range txs {
		g.Go(func() error {
			env, err := transaction(signer, uint64(i), size)
			if err != nil {
				return err
			}
			txs[i], err = protoutil.Marshal(env)
			return err
		})
	}
	return txs, g.Wait()
}

func transaction(signer protoutil.Signer, index uint64, size int) (*cb.Envelope, error) {
	content := make([]byte, size)
	binary.BigEndian.PutUint64(content[size-indexSize:], index)
	env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
		Type: cb.HeaderType_ENDORSER_TRANSACTION, ChannelID: channel, Time: time.Now(), Bytes: content,
	}, signer)
	if err != nil {
		return nil, fmt.Errorf("making a transaction: %w", err)
	}
	return env, nil
}

// client is the identity that writes to the channel and reads it.
func client(n *testnet.Network) (*identity.Identity, error) {
	id := n.Manifest.Channels[0].Client
	return identity.Load(inventory.Identity{MSPID: id.MSPID, MSPDir: filepath.Join(n.Dir, filepath.FromSlash(id.MSPDir))})
}

// awaitOrdering returns when every node has taken a transaction: before that
// there may be no leader, or no connection to the brokers.
func awaitOrdering(ctx context.Context, pool *dial.Pool, signer protoutil.Signer) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	env, err := transaction(signer, probe, indexSize)
	if err != nil {
		return err
	}
	send := broadcast.New(pool)
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for _, node := range pool.Nodes() {
		for {
			err := send.Send(ctx, node, env)
			if err == nil {
				break
			}
			var refused *broadcast.StatusError
			if errors.As(err, &refused) && !refused.Retryable() {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the network does not order: %w", err)
			case <-pause.C:
			}
		}
	}
	return nil
}

const readyTimeout = time.Minute

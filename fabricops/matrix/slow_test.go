package matrix_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/matrix"
)

// slowLine returns an address that leads to another at so many bytes a second.
func slowLine(t *testing.T, to string, bytesPerSecond int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var lines sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); lines.Wait() })
	lines.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			lines.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			lines.Go(func() {
				defer client.Close()
				const parts = 20 // of a second
				for {
					if _, err := io.CopyN(client, server, int64(bytesPerSecond/parts)); err != nil {
						return
					}
					time.Sleep(time.Second / parts)
				}
			})
		}
	})
	return l.Addr().String()
}

// A config block of many organizations takes its time over a slow line; that
// does not make the node one that cannot be read.
func TestANodeBehindASlowLineIsRead(t *testing.T) {
	t.Parallel()
	network := fakenet.New(t, 1)
	network.Add(t, fakenet.Channel, fakenet.Ledger(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel))
	orderers := network.Inventory().Orderers
	orderers[0].Address = slowLine(t, orderers[0].Address, 16_000)
	admin, err := identity.Load(network.Crypto.Admin())
	require.NoError(t, err)
	pool := dial.New(orderers, nil)
	defer func() { _ = pool.Close() }()
	r := matrix.New(deliver.New(pool, admin), pool.Nodes(), fakenet.SystemChannel, nil)
	began := time.Now()
	states := r.Read(t.Context(), []string{fakenet.Channel}, nil)
	require.Empty(t, states[0].Nodes[0].Error)
	require.Greater(t, time.Since(began), 2*time.Second, "the line is slow enough to tell")
}

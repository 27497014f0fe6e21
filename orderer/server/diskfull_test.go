package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/localconfig"
)

// Issue 4162, FAB-18304: the file system of the blocks, or of their index, is
// full. The orderer ends and says why; with room again it starts, and everything that
// was acknowledged (at commit) is there.
func TestAnOrdererWhoseLedgerIsFullSaysSoAndStartsAgainWhenThereIsRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, folder := range []string{"chains", "index"} {
		t.Run(folder, func(t *testing.T) {
			n := newNetwork(t)
			n.acknowledgeAt = localconfig.AcknowledgeAtCommit
			n.raftGenesis(n.RaftMetadata(n.ports[0]))
			dir := n.Path("o0", folder)
			require.NoError(t, os.MkdirAll(dir, 0o755))
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
				t.Skipf("no small file system can be mounted here: %s", err)
			}
			t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
			o := n.startChild(0)
			o.accepted(n.Creation())
			admin, user := n.OrdererAdmin(), n.OrgUser("User1")
			o.accepted(n.Message("ch1", user, "room"))
			ballast := filepath.Join(dir, "ballast")
			fill(t, ballast)

			var acknowledged []string
			padding := strings.Repeat("x", 530_000) // a block for each, at once
			for i := 0; ; i++ {
				text := fmt.Sprint(i, " ", padding)
				if !o.isAccepted(n.Message("ch1", user, text)) {
					break
				}
				acknowledged = append(acknowledged, text)
			}
			select {
			case <-o.ended:
			case <-time.After(patience):
				require.Fail(t, "it goes on with a full disk")
			}
			require.Contains(t, o.log.String(), "no space left on device")
			require.NoError(t, os.Remove(ballast))
			o = n.startChild(0)
			o.accepted(n.Message("ch1", user, "room again"))
			seen := map[string]int{}
			for _, text := range contents(t, o.chain("ch1", admin)) {
				seen[text]++
			}
			for _, text := range acknowledged {
				require.Equal(t, 1, seen[text], text[:10])
			}
			require.Equal(t, 1, seen["room again"])
			t.Logf("%d messages were acknowledged before the file system was full", len(acknowledged))
		})
	}
}

// fill writes a file until there is no room for more than a few blocks.
func fill(t *testing.T, name string) {
	f, err := os.Create(name)
	require.NoError(t, err)
	chunk := make([]byte, 4096)
	size := int64(0)
	for {
		written, err := f.Write(chunk)
		size += int64(written)
		if err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
	}
	require.NoError(t, f.Truncate(size-(4<<10)))
	require.NoError(t, f.Close())
}

// isAccepted sends a message and tells whether the answer is SUCCESS.
func (r *running) isAccepted(env *cb.Envelope) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := ab.NewAtomicBroadcastClient(r.dial()).Broadcast(ctx)
	if err != nil || stream.Send(env) != nil {
		return false
	}
	resp, err := stream.Recv()
	return err == nil && resp.Status == cb.Status_SUCCESS
}

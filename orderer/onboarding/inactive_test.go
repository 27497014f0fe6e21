package onboarding

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/cluster"
	"raftmig/orderer/cluster/clustertest"
	"raftmig/orderer/consensus/inactive"
)

var _ inactive.Tracker = (*InactiveChainReplicator)(nil)

// inactiveNode has the system channel and the app channel up to a height.
func inactiveNode(t *testing.T, w *world, cert []byte, height int) (*memoryLedgers, InactiveConfig, *[]string) {
	t.Helper()
	ledgers := newMemoryLedgers()
	for channel, blocks := range map[string][]*cb.Block{systemChannel: w.channels[systemChannel], appChannel: w.channels[appChannel][:height]} {
		l, err := ledgers.GetOrCreate(channel)
		require.NoError(t, err)
		for _, block := range blocks {
			require.NoError(t, l.Append(block))
		}
	}
	created := &[]string{}
	return ledgers, InactiveConfig{
		Config: newConfig(w, ledgers, cert), SystemChannel: systemChannel,
		CreateChain: func(channel string) error { *created = append(*created, channel); return nil },
	}, created
}

func TestAChannelIsActivatedOnceThisNodeIsItsConsenter(t *testing.T) {
	w := newWorld(t, "2.5.16")
	cert := serverCert(t, w.channels[appChannel], 2)
	synctest.Test(t, func(t *testing.T) {
		ledgers, cfg, created := inactiveNode(t, w, cert, 1)
		w.errs[appChannel] = cluster.ErrForbidden
		r := NewInactiveChainReplicator(cfg)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go r.Run(ctx)
		r.TrackChain(appChannel, w.channels[appChannel][0])
		require.Equal(t, []string{appChannel}, r.Channels())

		time.Sleep(25 * time.Second) // of the bubble's clock: one look at 10 s, the next 20 s later
		synctest.Wait()
		require.Empty(t, *created)
		require.EqualValues(t, 1, ledgers.height(appChannel))

		w.mu.Lock()
		delete(w.errs, appChannel)
		w.mu.Unlock()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{appChannel}, *created)
		require.EqualValues(t, 5, ledgers.height(appChannel), "up to the configuration in force")
		require.Empty(t, r.Channels())
	})
}

func TestAChannelThatIsNotMigratedStaysInactive(t *testing.T) {
	w := newWorld(t, "2.5.16")
	w.channels[appChannel] = w.channels[appChannel][:2] // still Kafka
	_, cfg, created := inactiveNode(t, w, clustertest.NewCA(t, "ca").Issue(t, "node").PEM, 2)
	r := NewInactiveChainReplicator(cfg)
	r.TrackChain(appChannel, nil)
	r.look(context.Background())
	require.Empty(t, *created)
	require.Equal(t, []string{appChannel}, r.Channels())
}

func TestAChainThatCannotBeCreatedIsTriedAgain(t *testing.T) {
	w := newWorld(t, "2.5.16")
	_, cfg, _ := inactiveNode(t, w, serverCert(t, w.channels[appChannel], 0), 1)
	attempts := 0
	cfg.CreateChain = func(string) error {
		if attempts++; attempts == 1 {
			return errors.New("not now")
		}
		return nil
	}
	r := NewInactiveChainReplicator(cfg)
	r.TrackChain(appChannel, nil)
	r.look(context.Background())
	require.Equal(t, []string{appChannel}, r.Channels())
	r.look(context.Background())
	require.Empty(t, r.Channels())
	require.Equal(t, 2, attempts)
}

func TestPausesDoubleUpToTheRefreshInterval(t *testing.T) {
	w := newWorld(t, "2.5.16")
	w.errs[appChannel] = cluster.ErrForbidden
	synctest.Test(t, func(t *testing.T) {
		_, cfg, _ := inactiveNode(t, w, []byte("nobody"), 1)
		var looks []time.Duration
		start := time.Now()
		cfg.NewPuller = func(target cluster.PullTarget) cluster.ChainPuller {
			looks = append(looks, time.Since(start))
			return w.newPuller(target)
		}
		r := NewInactiveChainReplicator(cfg)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		r.TrackChain(appChannel, nil)
		go r.Run(ctx)
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		s := time.Second
		require.Equal(t, []time.Duration{10 * s, 30 * s, 70 * s, 150 * s, 310 * s, 610 * s, 910 * s, 1210 * s}, looks)
	})
}

package etcdraft

import (
	"errors"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/cluster"
	"raftmig/orderer/raftmetadata"
)

// suspicion measures how long a channel has had no leader and says when that
// is worth a look at what others know: after the threshold and each multiple of
// it (spec 4.9). Pure.
type suspicion struct {
	threshold time.Duration
	since     time.Time
	times     int
}

// observe returns how long there has been no leader, and whether to act now.
func (s *suspicion) observe(now time.Time, leaderless bool) (time.Duration, bool) {
	if !leaderless {
		s.since, s.times = time.Time{}, 0
		return 0, false
	}
	if s.since.IsZero() {
		s.since = now
	}
	elapsed := now.Sub(s.since)
	if elapsed < s.threshold*time.Duration(s.times+1) {
		return elapsed, false
	}
	s.times++
	return elapsed, true
}

// verdict is what the latest config block of others says about this node. Pure.
type verdict int

const (
	// stillConsenter: this node is in it, or nobody could say otherwise.
	stillConsenter verdict = iota
	// evicted: it is not, or others refuse to serve it.
	evicted
)

// judgeEviction looks for cert (PEM or DER) among the consenters of a config
// block: server or client certificate, by public key. pullErr is the error of
// getting the block.
func judgeEviction(cert []byte, configBlock *cb.Block, pullErr error) (verdict, error) {
	if errors.Is(pullErr, cluster.ErrForbidden) {
		return evicted, nil
	}
	if pullErr != nil {
		return stillConsenter, pullErr
	}
	md, err := raftmetadata.OfConfigBlock(configBlock)
	if err != nil {
		return stillConsenter, err
	}
	for _, c := range md.Consenters {
		if raftmetadata.SamePublicKey(cert, c.GetServerTlsCert()) || raftmetadata.SamePublicKey(cert, c.GetClientTlsCert()) {
			return stillConsenter, nil
		}
	}
	return evicted, nil
}

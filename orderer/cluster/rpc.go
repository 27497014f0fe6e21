package cluster

import (
	"sync"

	"raftmig/orderer/protoutil"
)

// RPC sends the messages of one channel.
type RPC struct {
	comm    *Comm
	channel string

	mu         sync.RWMutex
	restricted bool   // transactions go to target only
	target     uint64 // 0 is nobody
}

// RPC returns the sender of a channel's messages.
func (c *Comm) RPC(channel string) *RPC { return &RPC{comm: c, channel: channel} }

// SendConsensus queues a consensus message for the consenter with the Raft ID
// given. The payload is what its parts are together; they must not change
// afterwards. It never waits; an error means that the message is lost, none does not
// mean that it arrives.
func (r *RPC) SendConsensus(dest uint64, payload [][]byte, metadata []byte) error {
	s, err := r.stream(dest, consensusMessages)
	if err != nil {
		return err
	}
	return s.send(outgoing{parts: consensusParts(r.channel, payload, metadata)})
}

// SendSubmit queues a transaction that was valid under the configuration with
// the sequence given, for the consenter with the Raft ID given, waiting for a
// place in the queue. report is called once, from any goroutine: with nil when
// the node has taken the message, or, where it does not say so (Fabric's do not),
// when it was written to the stream; else with the reason, which may match
// ErrNotTaken or ErrUncertain. ErrRPCTimeout says that it took too long.
func (r *RPC) SendSubmit(dest uint64, msg *protoutil.Message, configSeq uint64, report func(error)) {
	s, err := r.submitStream(dest)
	if err != nil {
		report(err)
		return
	}
	if err := s.send(outgoing{parts: submitParts(r.channel, configSeq, msg), report: report}); err != nil {
		report(err)
	}
}

func (r *RPC) submitStream(dest uint64) (*stream, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.restricted && dest != r.target {
		return nil, notTaken(errFinished)
	}
	return r.stream(dest, transactionMessages)
}

func (r *RPC) stream(dest uint64, kind messageType) (*stream, error) {
	remote, err := r.comm.remote(r.channel, dest)
	if err != nil {
		return nil, err
	}
	return remote.stream(kind)
}

package cluster

import (
	ab "github.com/hyperledger/fabric-protos-go/orderer"
)

// RPC sends the messages of one channel.
type RPC struct {
	comm    *Comm
	channel string
}

// RPC returns the sender of a channel's messages.
func (c *Comm) RPC(channel string) *RPC { return &RPC{comm: c, channel: channel} }

// SendConsensus queues a consensus message for the consenter with the Raft ID
// given. It never waits; an error means that the message is lost, none does not
// mean that it arrives.
func (r *RPC) SendConsensus(dest uint64, req *ab.ConsensusRequest) error {
	s, err := r.stream(dest, consensusMessages)
	if err != nil {
		return err
	}
	return s.send(outgoing{req: &ab.StepRequest{Payload: &ab.StepRequest_ConsensusRequest{ConsensusRequest: req}}})
}

// SendSubmit queues a transaction for the consenter with the Raft ID given,
// waiting for a place in the queue. report is called once, from any goroutine:
// with nil when the message was written to the stream, with the reason if it
// will not be.
func (r *RPC) SendSubmit(dest uint64, req *ab.SubmitRequest, report func(error)) {
	s, err := r.stream(dest, transactionMessages)
	if err != nil {
		report(err)
		return
	}
	out := outgoing{req: &ab.StepRequest{Payload: &ab.StepRequest_SubmitRequest{SubmitRequest: req}}, report: report}
	if err := s.send(out); err != nil {
		report(err)
	}
}

func (r *RPC) stream(dest uint64, kind messageType) (*stream, error) {
	remote, err := r.comm.remote(r.channel, dest)
	if err != nil {
		return nil, err
	}
	return remote.stream(kind)
}

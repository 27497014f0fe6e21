package fakenet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/policies"
	"raftmig/orderer/protoutil"
)

// Broadcast implements the service.
func (d *Node) Broadcast(s ab.AtomicBroadcast_BroadcastServer) error {
	for {
		env, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer, lost := d.net.order(env)
		if lost {
			return status.Error(codes.Unavailable, "connection lost")
		}
		if err := s.Send(answer); err != nil || answer.Status != cb.Status_SUCCESS {
			return err
		}
	}
}

func (n *Network) order(env *cb.Envelope) (answer *ab.BroadcastResponse, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fault := Fault("")
	if len(n.faults) > 0 {
		fault, n.faults = n.faults[0], n.faults[1:]
	}
	switch fault {
	case LoseMessage:
		return nil, true
	case Unavailable:
		return &ab.BroadcastResponse{Status: cb.Status_SERVICE_UNAVAILABLE, Info: "no Raft leader"}, false
	case NoQuorum:
		return &ab.BroadcastResponse{
			Status: cb.Status_BAD_REQUEST,
			Info:   "consensus metadata update for channel config update is invalid: 1 out of 3 nodes are alive, configuration will result in quorum loss",
		}, false
	case Forget:
		return &ab.BroadcastResponse{Status: cb.Status_SUCCESS}, false
	}
	answer = n.process(env)
	return answer, fault == LoseAnswer
}

func (n *Network) process(env *cb.Envelope) *ab.BroadcastResponse {
	refuse := func(s cb.Status, err error) *ab.BroadcastResponse {
		return &ab.BroadcastResponse{Status: s, Info: err.Error()}
	}
	h, err := protoutil.ChannelHeader(env)
	if err != nil {
		return refuse(cb.Status_BAD_REQUEST, err)
	}
	c, ok := n.channels[h.ChannelId]
	if !ok {
		return refuse(cb.Status_NOT_FOUND, errors.New("channel does not exist"))
	}
	ord, _ := c.bundle.OrdererConfig()
	maintenance := ord.ConsensusState() == ab.ConsensusType_STATE_MAINTENANCE
	writers := policies.ChannelWriters
	if maintenance {
		writers = policies.ChannelOrdererWriters
	}
	if h.Type != int32(cb.HeaderType_CONFIG_UPDATE) {
		if maintenance {
			return refuse(cb.Status_SERVICE_UNAVAILABLE, errors.New("normal transactions are rejected: maintenance mode"))
		}
		if err := c.allows(writers, env); err != nil {
			return refuse(cb.Status_FORBIDDEN, err)
		}
		c.append(protoutil.MustMarshal(env), []byte("kafka or raft"), false)
		n.bump()
		return &ab.BroadcastResponse{Status: cb.Status_SUCCESS}
	}
	if err := c.allows(writers, env); err != nil {
		return refuse(cb.Status_FORBIDDEN, err)
	}
	next, err := c.bundle.ConfigtxValidator().ProposeConfigUpdate(env)
	if err != nil {
		return refuse(cb.Status_BAD_REQUEST, err)
	}
	config, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{Type: cb.HeaderType_CONFIG, ChannelID: h.ChannelId, Data: next}, nil)
	if err != nil {
		return refuse(cb.Status_BAD_REQUEST, err)
	}
	if n.Check != nil {
		if err := n.Check(h.ChannelId, config); err != nil {
			return refuse(cb.Status_BAD_REQUEST, err)
		}
	}
	before := ord.ConsensusType()
	c.append(protoutil.MustMarshal(config), []byte("kafka or raft"), true)
	if err := c.reload(h.ChannelId); err != nil {
		return refuse(cb.Status_BAD_REQUEST, err)
	}
	if now, _ := c.bundle.OrdererConfig(); now.ConsensusType() != before {
		c.seal(c.blocks[len(c.blocks)-1], nil, uint64(len(c.blocks)-1))
	}
	n.bump()
	return &ab.BroadcastResponse{Status: cb.Status_SUCCESS}
}

func (c *channel) allows(path string, env *cb.Envelope) error {
	policy, _ := c.bundle.PolicyManager().GetPolicy(path)
	signed, err := protoutil.EnvelopeAsSignedData(env)
	if err != nil {
		return err
	}
	return policy.EvaluateSignedData(signed)
}

func (c *channel) append(envelope, consenter []byte, config bool) {
	last := c.blocks[len(c.blocks)-1]
	b := protoutil.NewBlock(uint64(len(c.blocks)), protoutil.BlockHeaderHash(last.Header))
	b.Data.Data = [][]byte{envelope}
	b.Header.DataHash = protoutil.BlockDataHash(b.Data)
	index, _ := protoutil.LastConfigIndex(last) // blocks made by Fabric or here
	if config {
		index = b.Header.Number
	}
	c.seal(b, consenter, index)
	c.blocks = append(c.blocks, b)
}

// seal writes a block's metadata; it has no signature.
func (c *channel) seal(b *cb.Block, consenter []byte, lastConfig uint64) {
	protoutil.SetMetadata(b, cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(&cb.Metadata{
		Value: protoutil.MustMarshal(&cb.OrdererBlockMetadata{
			LastConfig:        &cb.LastConfig{Index: lastConfig},
			ConsenterMetadata: protoutil.MustMarshal(&cb.Metadata{Value: consenter}),
		}),
	}))
}

// reload reads the configuration in force from the blocks.
func (c *channel) reload(name string) error {
	index, err := protoutil.LastConfigIndex(c.blocks[len(c.blocks)-1])
	if err != nil {
		return err
	}
	env, err := protoutil.EnvelopeAt(c.blocks[index], 0)
	if err != nil {
		return err
	}
	ce, err := protoutil.ConfigEnvelope(env)
	if err != nil {
		return err
	}
	c.bundle, err = channelconfig.NewBundle(name, ce.Config)
	return err
}

// Deliver implements the service.
func (d *Node) Deliver(s ab.AtomicBroadcast_DeliverServer) error {
	for {
		env, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := d.serve(env, s)
		if err != nil {
			return err
		}
		err = s.Send(&ab.DeliverResponse{Type: &ab.DeliverResponse_Status{Status: answer}})
		if err != nil || answer != cb.Status_SUCCESS {
			return err
		}
	}
}

func (d *Node) serve(env *cb.Envelope, s ab.AtomicBroadcast_DeliverServer) (cb.Status, error) {
	payload, err := protoutil.EnvelopePayload(env)
	if err != nil {
		return cb.Status_BAD_REQUEST, nil
	}
	h, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil || h.Timestamp == nil || time.Since(h.Timestamp.AsTime()).Abs() > 15*time.Minute {
		return cb.Status_BAD_REQUEST, nil
	}
	if d.net.mutual && !bound(s.Context(), h.TlsCertHash) {
		return cb.Status_BAD_REQUEST, nil
	}
	seek := &ab.SeekInfo{}
	if proto.Unmarshal(payload.Data, seek) != nil {
		return cb.Status_BAD_REQUEST, nil
	}
	visible, answer := d.visible(h.ChannelId, env)
	if answer != cb.Status_SUCCESS {
		return answer, nil
	}
	from, to := uint64(len(visible)-1), uint64(len(visible)-1)
	if p := seek.Start.GetSpecified(); p != nil {
		from = p.Number
	}
	if p := seek.Stop.GetSpecified(); p != nil {
		to = p.Number
	}
	if from > uint64(len(visible)) {
		return cb.Status_NOT_FOUND, nil
	}
	for next := from; next <= to; next++ {
		for {
			d.net.mu.Lock()
			changed := d.net.changed
			d.net.mu.Unlock()
			if visible, answer = d.visible(h.ChannelId, env); answer != cb.Status_SUCCESS {
				return answer, nil
			}
			if next < uint64(len(visible)) {
				break
			}
			if seek.Behavior == ab.SeekInfo_FAIL_IF_NOT_READY {
				return cb.Status_NOT_FOUND, nil
			}
			select {
			case <-changed:
			case <-s.Context().Done():
				return 0, s.Context().Err()
			}
		}
		d.net.mu.Lock()
		d.net.asked[h.ChannelId]++
		tamper := d.net.Tamper
		d.net.mu.Unlock()
		block := visible[next]
		if tamper != nil {
			block = tamper(block)
		}
		if err := s.Send(&ab.DeliverResponse{Type: &ab.DeliverResponse_Block{Block: block}}); err != nil {
			return 0, err
		}
	}
	return cb.Status_SUCCESS, nil
}

// visible returns the blocks that the node shows to the signer of env.
func (d *Node) visible(name string, env *cb.Envelope) ([]*cb.Block, cb.Status) {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	c, ok := d.net.channels[name]
	if !ok {
		return nil, cb.Status_NOT_FOUND
	}
	ord, _ := c.bundle.OrdererConfig()
	readers := policies.ChannelReaders
	if ord.ConsensusState() == ab.ConsensusType_STATE_MAINTENANCE {
		readers = policies.ChannelOrdererReaders
	}
	if c.allows(readers, env) != nil {
		return nil, cb.Status_FORBIDDEN
	}
	return c.blocks[:len(c.blocks)-d.lag[name]], cb.Status_SUCCESS
}

// bound reports whether hash is that of the client certificate of a call.
func bound(ctx context.Context, hash []byte) bool {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return false
	}
	sum := sha256.Sum256(info.State.PeerCertificates[0].Raw)
	return bytes.Equal(sum[:], hash)
}

package cluster

import (
	"unicode/utf8"

	"github.com/golang/protobuf/proto"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/comm"
	"raftmig/orderer/protoutil"
)

// Numbers of fields (spec 5.1). Blocks and transactions go through here in
// their hundreds of megabytes; encoding around them spares copying them.
const (
	stepConsensus = 1 // StepRequest
	stepSubmit    = 2

	requestChannel    = 1 // ConsensusRequest and SubmitRequest
	consensusPayload  = 2
	consensusMetadata = 3
	submitSequence    = 2
	submitPayload     = 3
)

// consensusParts is the encoding of a StepRequest with a ConsensusRequest; its
// payload is given in parts, which are not copied.
func consensusParts(channel string, payload [][]byte, metadata []byte) comm.Parts {
	head := appendField(nil, requestChannel, []byte(channel))
	size := 0
	for _, p := range payload {
		size += len(p)
	}
	if size > 0 {
		head = protowire.AppendTag(head, consensusPayload, protowire.BytesType)
		head = protowire.AppendVarint(head, uint64(size))
	}
	parts := append(comm.Parts{nil, head}, payload...)
	return stepParts(stepConsensus, append(parts, appendField(nil, consensusMetadata, metadata)))
}

// submitParts is the encoding of a StepRequest with a SubmitRequest.
func submitParts(channel string, configSeq uint64, msg *protoutil.Message) comm.Parts {
	head := appendField(nil, requestChannel, []byte(channel))
	if configSeq > 0 {
		head = protowire.AppendTag(head, submitSequence, protowire.VarintType)
		head = protowire.AppendVarint(head, configSeq)
	}
	head = protowire.AppendTag(head, submitPayload, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(msg.Bytes())))
	return stepParts(stepSubmit, comm.Parts{nil, head, msg.Bytes()})
}

// stepParts puts the tag of a StepRequest's field into the first part.
func stepParts(field protowire.Number, parts comm.Parts) comm.Parts {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	parts[0] = protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.BytesType), uint64(size))
	return parts
}

func appendField(b []byte, field protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// step is a decoded StepRequest: one of the two, or neither.
type step struct {
	consensus *ab.ConsensusRequest
	submit    *submit
}

type submit struct {
	channel   string
	configSeq uint64
	msg       *protoutil.Message // nil if there was none
}

// parseStep decodes a StepRequest. The result refers to raw.
func parseStep(raw []byte) (*step, error) {
	if s, ok := splitStep(raw); ok {
		return s, nil
	}
	var req ab.StepRequest
	if err := proto.Unmarshal(raw, &req); err != nil {
		return nil, err
	}
	s := &step{consensus: req.GetConsensusRequest()}
	if r := req.GetSubmitRequest(); r != nil {
		s.submit = &submit{channel: r.Channel, configSeq: r.LastValidationSeq}
		if r.Payload != nil {
			s.submit.msg = protoutil.NewMessage(r.Payload)
		}
	}
	return s, nil
}

// splitStep decodes what has each field at most once and in the order of their
// numbers, as all that is ever sent; anything else is left to the library.
func splitStep(raw []byte) (*step, bool) {
	num, body, rest, ok := nextBytes(raw)
	if !ok || len(rest) > 0 {
		return nil, false
	}
	var channel string
	if n, v, after, ok := nextBytes(body); ok && n == requestChannel && utf8.Valid(v) {
		channel, body = string(v), after
	}
	switch num {
	case stepConsensus:
		req := &ab.ConsensusRequest{Channel: channel}
		if n, v, after, ok := nextBytes(body); ok && n == consensusPayload {
			req.Payload, body = v, after
		}
		if n, v, after, ok := nextBytes(body); ok && n == consensusMetadata {
			req.Metadata, body = v, after
		}
		return &step{consensus: req}, len(body) == 0
	case stepSubmit:
		s := &submit{channel: channel}
		if n, typ, size := protowire.ConsumeTag(body); size > 0 && n == submitSequence && typ == protowire.VarintType {
			v, m := protowire.ConsumeVarint(body[size:])
			if m < 0 {
				return nil, false
			}
			s.configSeq, body = v, body[size+m:]
		}
		n, v, after, ok := nextBytes(body)
		if !ok || n != submitPayload || len(after) > 0 {
			return nil, false
		}
		var err error
		s.msg, err = protoutil.ParseMessage(v)
		return &step{submit: s}, err == nil
	}
	return nil, false
}

// nextBytes splits off a length-delimited field.
func nextBytes(b []byte) (num protowire.Number, v, rest []byte, ok bool) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || typ != protowire.BytesType {
		return 0, nil, nil, false
	}
	v, m := protowire.ConsumeBytes(b[n:])
	if m < 0 {
		return 0, nil, nil, false
	}
	return num, v[:len(v):len(v)], b[n+m:], true
}

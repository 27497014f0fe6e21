package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/broadcast"
	"raftmig/orderer/comm"
	"raftmig/orderer/deliver"
)

// atomicBroadcast is the service orderer.AtomicBroadcast. It is described here
// rather than by generated code because envelopes come in and blocks go out as
// bytes.
type atomicBroadcast struct {
	broadcast *broadcast.Handler
	deliver   *deliver.Handler
	// folders for copies of all requests; "" for none
	broadcastTrace, deliverTrace string
	log                          *zap.SugaredLogger
}

var atomicBroadcastDesc = grpc.ServiceDesc{
	ServiceName: "orderer.AtomicBroadcast",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{
		{StreamName: "Broadcast", ServerStreams: true, ClientStreams: true, Handler: func(srv any, s grpc.ServerStream) error {
			a := srv.(*atomicBroadcast)
			return a.broadcast.Handle(broadcastStream{stream{s, a, a.broadcastTrace, "Broadcast"}})
		}},
		{StreamName: "Deliver", ServerStreams: true, ClientStreams: true, Handler: func(srv any, s grpc.ServerStream) error {
			a := srv.(*atomicBroadcast)
			return a.deliver.Handle(deliverStream{stream{s, a, a.deliverTrace, "Deliver"}})
		}},
	},
	Metadata: "orderer/ab.proto",
}

// stream is what both methods have in common.
type stream struct {
	grpc.ServerStream
	service *atomicBroadcast
	trace   string
	method  string
}

func (s stream) Address() string { return comm.RemoteAddress(s.Context()) }

func (s stream) ClientCertificate() *x509.Certificate { return comm.ClientCertificate(s.Context()) }

func (s stream) Context() context.Context { return s.ServerStream.Context() }

// Recv returns the bytes of the next Envelope.
func (s stream) Recv() ([]byte, error) {
	var r comm.Received
	if err := s.RecvMsg(&r); err != nil {
		return nil, err
	}
	if s.trace != "" {
		name := filepath.Join(s.trace, fmt.Sprintf("%d_%p.%s", time.Now().UnixNano(), &r, s.method))
		if err := os.WriteFile(name, r.Bytes, 0o600); err != nil {
			s.service.log.Warnf("Could not write trace file: %s", err)
		}
	}
	return r.Bytes, nil
}

type broadcastStream struct{ stream }

// success is an encoded BroadcastResponse with the status SUCCESS and no text.
var success = comm.Parts{protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(cb.Status_SUCCESS))}

func (s broadcastStream) Send(r *ab.BroadcastResponse) error {
	if r.Status == cb.Status_SUCCESS && r.Info == "" && len(r.XXX_unrecognized) == 0 {
		return s.SendMsg(success)
	}
	return s.SendMsg(r)
}

type deliverStream struct{ stream }

// blockField is the field of DeliverResponse that holds a block.
const blockField = 2

func (s deliverStream) SendBlock(e *blockledger.Entry) error {
	wire := e.Wire()
	prefix := protowire.AppendTag(nil, blockField, protowire.BytesType)
	prefix = protowire.AppendVarint(prefix, uint64(len(wire)))
	return s.SendMsg(comm.Parts{prefix, wire})
}

func (s deliverStream) SendStatus(status cb.Status) error {
	return s.SendMsg(&ab.DeliverResponse{Type: &ab.DeliverResponse_Status{Status: status}})
}

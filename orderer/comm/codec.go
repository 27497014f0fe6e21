// Package comm is the gRPC server of an orderer: listener, TLS, keepalive,
// message sizes, and a codec that carries envelopes and blocks as bytes.
package comm

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that Codec falls back to
	"google.golang.org/grpc/mem"
)

// Received is a message as it came, not decoded. RecvMsg fills it.
type Received struct {
	// Bytes belong to the receiver.
	Bytes []byte
}

// Parts is a message to be sent whose encoding is the concatenation of its
// parts. They are not copied and must not change after SendMsg.
type Parts [][]byte

// Codec returns a codec that takes *Received and Parts as bytes and all other
// messages as protobuf.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

type codec struct{ proto encoding.CodecV2 }

// Name implements encoding.CodecV2: the content type is protobuf's.
func (codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	parts, ok := v.(Parts)
	if !ok {
		return c.proto.Marshal(v)
	}
	s := make(mem.BufferSlice, 0, len(parts))
	for _, p := range parts {
		if len(p) > 0 {
			s = append(s, mem.SliceBuffer(p))
		}
	}
	return s, nil
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch v := v.(type) {
	case *Received:
		v.Bytes = data.Materialize()
		return nil
	case Parts:
		return fmt.Errorf("comm: %T is for sending only", v)
	}
	return c.proto.Unmarshal(data, v)
}

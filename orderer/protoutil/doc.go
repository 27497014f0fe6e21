// Package protoutil reads and writes the messages of Fabric's common and
// orderer protocols: envelopes, headers, blocks and their metadata, signed
// data. It is pure: bytes in, bytes out.
//
// The message types come from fabric-protos-go, which is generated for the
// first Go protobuf API; hence the golang/protobuf import.
package protoutil

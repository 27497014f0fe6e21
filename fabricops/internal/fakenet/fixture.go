// Package fakenet is a network of ordering nodes for tests: real gRPC over
// TLS, real blocks, identities and configurations written by Fabric, and as
// much behaviour as clients can tell apart: configuration updates are judged
// by the channel's configuration, answers can be lost, nodes can lag and stop.
package fakenet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
)

//go:embed testdata
var testdata embed.FS

// Stages of the fixture ledgers; versions are "2.2.15" and "2.5.16".
const (
	KafkaNormal  = "1-kafka-normal"
	TypeSwitched = "2-type-switched"
	RaftNormal   = "3-raft-normal"
)

// SystemChannel is the system channel of the fixture network, Channel its
// application channel.
const (
	SystemChannel = "syschannel"
	Channel       = "ch1"
)

// Unpack unpacks a fixture ("crypto-config", "ledger-2.2.15-1-kafka-normal")
// into a new folder and returns it.
func Unpack(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := testdata.ReadFile("testdata/" + name + ".tar.gz")
	require.NoError(t, err)
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	require.NoError(t, err)
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		require.NoError(t, err)
		require.True(t, filepath.IsLocal(h.Name), h.Name)
		path := filepath.Join(dir, h.Name)
		if h.FileInfo().IsDir() {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
}

// Ledger returns the blocks of a fixture's channel.
func Ledger(t testing.TB, version, stage, channel string) []*cb.Block {
	t.Helper()
	dir := Unpack(t, "ledger-"+version+"-"+stage)
	raw, err := os.ReadFile(filepath.Join(dir, "chains", channel, "blockfile_000000"))
	require.NoError(t, err)
	var blocks []*cb.Block
	for len(raw) > 0 {
		size, n := binary.Uvarint(raw)
		require.Positive(t, n)
		blocks = append(blocks, record(t, raw[n:n+int(size)]))
		raw = raw[n+int(size):]
	}
	return blocks
}

// record decodes a block as block files hold it (spec 7.9).
func record(t testing.TB, b []byte) *cb.Block {
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		require.Positive(t, n)
		b = b[n:]
		return v
	}
	content := func() []byte {
		n := number()
		v := b[:n:n]
		b = b[n:]
		return v
	}
	block := &cb.Block{Header: &cb.BlockHeader{}, Data: &cb.BlockData{}, Metadata: &cb.BlockMetadata{}}
	block.Header.Number = number()
	block.Header.DataHash = content()
	block.Header.PreviousHash = content()
	for n := number(); n > 0; n-- {
		block.Data.Data = append(block.Data.Data, content())
	}
	for n := number(); n > 0; n-- {
		block.Metadata.Metadata = append(block.Metadata.Metadata, content())
	}
	return block
}

// Crypto is the fixture network's folder of identities.
type Crypto struct{ Dir string }

// NewCrypto unpacks the identities.
func NewCrypto(t testing.TB) Crypto {
	return Crypto{filepath.Join(Unpack(t, "crypto-config"), "crypto-config")}
}

// Admin is the administrator of the ordering organization.
func (c Crypto) Admin() inventory.Identity {
	return inventory.Identity{
		MSPID:  "OrdererMSP",
		MSPDir: filepath.Join(c.Dir, "ordererOrganizations/example.com/users/Admin@example.com/msp"),
	}
}

// User is a client of the application organization, with a TLS certificate.
func (c Crypto) User() inventory.Identity {
	user := filepath.Join(c.Dir, "peerOrganizations/org1.example.com/users/User1@org1.example.com")
	return inventory.Identity{
		MSPID: "Org1MSP", MSPDir: filepath.Join(user, "msp"),
		TLSCert: filepath.Join(user, "tls/client.crt"), TLSKey: filepath.Join(user, "tls/client.key"),
	}
}

// OrdererTLS is the folder with the TLS files of the i-th orderer.
func (c Crypto) OrdererTLS(i int) string {
	name := "orderer" + string(rune('0'+i)) + ".example.com"
	return filepath.Join(c.Dir, "ordererOrganizations/example.com/orderers", name, "tls")
}

package source

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
)

func TestConfigBlocksAreReadFromFiles(t *testing.T) {
	r, err := Files([]string{"../testdata/2.5.16.kafka.ch1.block", "../testdata/2.5.16.kafka.syschannel.block"})
	require.NoError(t, err)
	require.Len(t, r.Sources, 2)
	require.Equal(t, "ch1", r.Sources[0].Channel)
	require.Equal(t, "../testdata/2.5.16.kafka.ch1.block", r.Sources[0].From)
	require.NotNil(t, r.Sources[0].Config.ChannelGroup)
	require.Nil(t, r.Known)

	bad := filepath.Join(t.TempDir(), "bad.block")
	require.NoError(t, os.WriteFile(bad, []byte("no block"), 0o600))
	_, err = Files([]string{bad})
	require.ErrorContains(t, err, bad)
	_, err = Files([]string{bad + ".absent"})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTheOrderersOfAnInventoryAreKnownByAllTheirAddresses(t *testing.T) {
	cert := filepath.Join(t.TempDir(), "server.crt")
	require.NoError(t, os.WriteFile(cert, []byte("a certificate"), 0o600))
	inv := &inventory.Network{Orderers: []inventory.Orderer{
		{Process: inventory.Process{Name: "o1", Address: "o1.example.com:7050"}, ClusterHost: "o1.internal", ClusterPort: 7051, ServerCert: cert},
		{Process: inventory.Process{Name: "o0", Addresses: []string{"o0.example.com:7050"}}},
	}}
	k, err := known(inv)
	require.NoError(t, err)
	require.Equal(t, "o1", k[0].Name)
	require.Equal(t, []string{"o1.example.com:7050", "o1.internal:7051"}, k[0].Endpoints)
	require.Equal(t, "a certificate", string(k[0].ServerCert))
	require.Equal(t, "o0.example.com:7050", k[1].Endpoints[0])

	inv.Orderers[0].ServerCert = cert + ".absent"
	_, err = known(inv)
	require.ErrorContains(t, err, "reading the certificate of o1")
}

func TestAnInventoryThatIsNotThereIsSaid(t *testing.T) {
	_, err := Network(t.Context(), filepath.Join(t.TempDir(), "raftmig.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

package validate

import (
	"archive/tar"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
)

// realLedgers unpacks ledgers that real Fabric orderers wrote: a Kafka
// network, migrated to Raft, with 40 transactions before and 40 after.
func realLedgers(t *testing.T, version string) []Node {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open("testdata/raft-" + version + ".tar.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	var nodes []Node
	for i := range 3 {
		nodes = append(nodes, Node{Name: fmt.Sprint("o", i), LedgerDir: filepath.Join(dir, "ledgers", fmt.Sprint("o", i))})
	}
	return nodes
}

// sentIn lists the transactions that a node has, as if they had been sent.
func sentIn(t *testing.T, n Node, channel string) []Sent {
	t.Helper()
	l := ReadLedger(n.Name, n.LedgerDir, channel)
	require.NoError(t, l.Err)
	var all []Sent
	for id := range l.Transactions {
		all = append(all, Sent{TxID: id, Channel: channel, Acknowledged: true})
	}
	return all
}

func TestLedgersOfRealOrderersAgree(t *testing.T) {
	for _, version := range []string{"2.2.15", "2.5.16"} {
		t.Run(version, func(t *testing.T) {
			nodes := realLedgers(t, version)
			sent := sentIn(t, nodes[0], "ch1")
			require.Len(t, sent, 80)
			r, err := Check(nodes, sent)
			require.NoError(t, err)
			require.True(t, r.OK(), "%+v", r)
			require.Equal(t, Counts{Sent: 80, Acknowledged: 80, Committed: 80}, r.Counts)
			require.Len(t, r.Channels, 2)
			require.Equal(t, "ch1", r.Channels[0].Channel)
			require.NotEmpty(t, r.Channels[0].LastHash)
			l := ReadLedger("o0", nodes[0].LedgerDir, "syschannel")
			require.NoError(t, l.Err)
			require.Equal(t, "etcdraft", l.Type)
			require.False(t, l.Maintenance)
		})
	}
}

func TestHeaderHashesAreThoseOfTheEngine(t *testing.T) {
	for _, n := range []uint64{0, 1, 127, 128, 255, 256, 65535, 1 << 40, 1<<63 + 1} {
		b := &Block{Number: n, PreviousHash: []byte{1, 2, 3}, DataHash: make([]byte, 32)}
		want := protoutil.BlockHeaderHash(&cb.BlockHeader{Number: n, PreviousHash: b.PreviousHash, DataHash: b.DataHash})
		require.Equal(t, hex.EncodeToString(want), Hash(b.HeaderHash()), n)
	}
	long := &Block{DataHash: make([]byte, 300)}
	want := protoutil.BlockHeaderHash(&cb.BlockHeader{DataHash: long.DataHash})
	require.Equal(t, hex.EncodeToString(want), Hash(long.HeaderHash()))
}

func TestMissingAndDuplicatedTransactionsAreCounted(t *testing.T) {
	ledger := &Ledger{Node: "o0", Transactions: map[string]int{"a": 1, "b": 2, "c": 2, "d": 1}}
	sent := []Sent{
		{TxID: "a", Acknowledged: true},
		{TxID: "b", Acknowledged: true},
		{TxID: "c", Acknowledged: true, Resent: true},
		{TxID: "d"},                     // no answer, committed all the same
		{TxID: "e"},                     // no answer, not committed
		{TxID: "f", Acknowledged: true}, // lost
	}
	c := checkChannel("ch1", []*Ledger{ledger}, sent)
	require.Equal(t, Counts{Sent: 6, Acknowledged: 4, Committed: 4, Missing: 1, Duplicated: 1, DuplicatedResent: 1}, c.Counts)
	require.Equal(t, []string{"f"}, c.MissingIDs)
	require.False(t, (&Report{Counts: c.Counts}).OK())
}

func TestForksAndNodesBehindAreReported(t *testing.T) {
	a := &Ledger{Node: "a", Hashes: [][32]byte{{1}, {2}, {3}}}
	b := &Ledger{Node: "b", Hashes: [][32]byte{{1}, {2}}}
	c := &Ledger{Node: "c", Hashes: [][32]byte{{1}, {9}, {3}}}
	r := checkChannel("ch1", []*Ledger{a, b, c}, nil)
	require.Equal(t, []string{"b has height 2, a has 3", "c and a have different blocks 1"}, r.Problems)
	require.Equal(t, map[string]uint64{"a": 3, "b": 2, "c": 3}, r.Heights)
}

func TestAChannelThatNobodyHasIsAllMissing(t *testing.T) {
	nodes := realLedgers(t, "2.5.16")
	r, err := Check(nodes, []Sent{{TxID: "x", Channel: "nowhere", Acknowledged: true}})
	require.NoError(t, err)
	require.Equal(t, 1, r.Missing)
}

func edit(t *testing.T, n Node, channel string, change func([]byte) []byte) {
	t.Helper()
	file := filepath.Join(n.LedgerDir, "chains", channel, "blockfile_000000")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, change(data), 0o644))
}

func TestATornTailIsLeftOutAndDamageIsReported(t *testing.T) {
	nodes := realLedgers(t, "2.5.16")
	whole := ReadLedger("o0", nodes[0].LedgerDir, "ch1").Height()
	for cut := 1; cut < 2000; cut += 97 {
		edit(t, nodes[0], "ch1", func(b []byte) []byte { return b[:len(b)-97] })
		l := ReadLedger("o0", nodes[0].LedgerDir, "ch1")
		require.NoError(t, l.Err)
		require.Less(t, l.Height(), whole)
	}
	edit(t, nodes[1], "ch1", func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	l := ReadLedger("o1", nodes[1].LedgerDir, "ch1")
	require.Error(t, l.Err)
	require.Positive(t, l.Height())
	r, err := Check(nodes, nil)
	require.NoError(t, err)
	require.False(t, r.OK())
}

func TestBlocksThatDoNotFollowEachOtherAreDamage(t *testing.T) {
	nodes := realLedgers(t, "2.5.16")
	record := func(b []byte) int { size, n := binary.Uvarint(b); return n + int(size) }
	edit(t, nodes[0], "ch1", func(b []byte) []byte { // without block 1
		first := record(b)
		second := record(b[first:])
		return append(append([]byte{}, b[:first]...), b[first+second:]...)
	})
	require.ErrorContains(t, ReadLedger("o0", nodes[0].LedgerDir, "ch1").Err, "block 2: number 1 was expected")
	edit(t, nodes[1], "ch1", func(b []byte) []byte { // the genesis block of another channel
		other, err := os.ReadFile(filepath.Join(nodes[1].LedgerDir, "chains", "syschannel", "blockfile_000000"))
		require.NoError(t, err)
		return append(append([]byte{}, other[:record(other)]...), b[record(b):]...)
	})
	require.ErrorContains(t, ReadLedger("o1", nodes[1].LedgerDir, "ch1").Err, "its previous hash is")
}

func TestHistoriesAreReadBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"tx_id":"a","channel":"ch1","status":"acknowledged"}
{"tx_id":"b","channel":"ch1","status":"unknown","attempts":2,"resent":true}
{"tx_id":"c","chan`), 0o644))
	sent, err := ReadHistory(file)
	require.NoError(t, err)
	require.Equal(t, []Sent{{TxID: "a", Channel: "ch1", Acknowledged: true}, {TxID: "b", Channel: "ch1", Resent: true}}, sent)
	require.NoError(t, os.WriteFile(file, []byte("{\"tx_id\":\"a\"}\nnonsense\n{}\n"), 0o644))
	_, err = ReadHistory(file)
	require.ErrorContains(t, err, "line 1")
	_, err = ReadHistory(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestChannelsOfAnAbsentLedgerAreNone(t *testing.T) {
	names, err := Channels(filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	require.Empty(t, names)
}

func FuzzParseBlock(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte(strings.Repeat("\xff", 40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBlock(data)
		if err != nil {
			return
		}
		_ = b.HeaderHash()
		for _, e := range b.Envelopes {
			_, _, _ = header(e)
			_, _, _ = consensus(e)
		}
	})
}

package backup

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/fabricops/inventory"
)

// Every check of the property copies ledgers durably many times.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("25")
	}
	os.Exit(m.Run())
}

func silent(string, int64, int64) {}

// network is two orderers with ledgers and a broker with data.
func network(t testing.TB) *inventory.Network {
	inv := &inventory.Network{}
	for i := range 2 {
		ledger := fakenet.Unpack(t, "ledger-2.2.15-1-kafka-normal")
		require.NoError(t, os.MkdirAll(filepath.Join(ledger, "index"), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(ledger, "index", "000001.log"), []byte("leveldb"), 0o640))
		inv.Orderers = append(inv.Orderers, inventory.Orderer{
			Process:   inventory.Process{Name: fmt.Sprintf("orderer%d", i), Data: []string{ledger}},
			LedgerDir: ledger, WALDir: filepath.Join(ledger, "etcdraft/wal"), SnapDir: filepath.Join(t.TempDir(), "snap"),
		})
	}
	data := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(data, "ch1-0"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "ch1-0", "00000000000000000000.log"), bytes.Repeat([]byte("kafka"), 1000), 0o600))
	require.NoError(t, os.Symlink("ch1-0/00000000000000000000.log", filepath.Join(data, "current")))
	inv.Brokers = []inventory.Process{{Name: "broker", Data: []string{data}}}
	return inv
}

func store(t testing.TB, inv *inventory.Network) *Store {
	return &Store{Dir: filepath.Join(t.TempDir(), "backup"), Run: "r1", Network: inv, Now: time.Now}
}

// snapshot is what a folder holds: path → content, mode and kind.
func snapshot(t require.TestingT, dir string) map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(content) + " " + info.ModTime().String()
		} else if info.Mode()&fs.ModeSymlink != 0 {
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " " + link
		}
		out[rel] = text
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	return out
}

func all(t require.TestingT, inv *inventory.Network) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, f := range Folders(inv) {
		out[f.Path] = snapshot(t, f.Path)
	}
	return out
}

func TestFoldersAreListedOnceAndNotInsideEachOther(t *testing.T) {
	inv := network(t)
	folders := Folders(inv)
	var copies []string
	for _, f := range folders {
		copies = append(copies, f.Copy)
	}
	require.Equal(t, []string{"orderer0/0", "orderer0/1", "orderer1/0", "orderer1/1", "broker/0"}, copies,
		"the ledger folder is the data folder and holds the WAL folder")
	require.Equal(t, inv.Orderers[0].SnapDir, folders[1].Path)
}

func TestBackupHoldsEverythingAndComesBack(t *testing.T) {
	inv := network(t)
	before := all(t, inv)
	s := store(t, inv)
	r, already, err := s.Take(t.Context(), silent)
	require.NoError(t, err)
	require.False(t, already)
	require.Equal(t, map[string]uint64{"syschannel": 2, "ch1": 2}, r.Heights)
	require.Equal(t, s.Dir, r.Dir)
	require.Equal(t, before, all(t, inv), "a backup changes nothing")

	ruin(t, inv)
	require.NotEqual(t, before, all(t, inv))
	_, already, err = s.Restore(t.Context(), silent)
	require.NoError(t, err)
	require.False(t, already)
	require.Equal(t, before, all(t, inv))
	_, already, err = s.Restore(t.Context(), silent)
	require.NoError(t, err)
	require.True(t, already)
}

// ruin does to the folders what a failed migration and more does.
func ruin(t require.TestingT, inv *inventory.Network) {
	o := inv.Orderers[0]
	require.NoError(t, os.MkdirAll(filepath.Join(o.WALDir, "ch1"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(o.WALDir, "ch1", "0.wal"), []byte("raft"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(o.LedgerDir, "chains/ch1/blockfile_000000"), []byte{1, 5, 1, 9}, 0o600))
	require.NoError(t, os.Remove(filepath.Join(o.LedgerDir, "index", "000001.log")))
	require.NoError(t, os.MkdirAll(filepath.Join(inv.Orderers[1].SnapDir, "ch1"), 0o700))
	require.NoError(t, os.RemoveAll(filepath.Join(inv.Brokers[0].Data[0], "ch1-0")))
}

// A backup and a restoration that are interrupted at any change of the disk,
// several times over, end where an undisturbed one does.
func TestInterruptionAtAnyPoint(t *testing.T) {
	inv := network(t)
	good := all(t, inv)
	pristine := store(t, inv)
	_, _, err := pristine.Take(t.Context(), silent)
	require.NoError(t, err)
	restoreAll := func(t require.TestingT) {
		_, _, err := pristine.Restore(context.Background(), silent)
		require.NoError(t, err)
	}
	cut := errors.New("cut")
	rapid.Check(t, func(rt *rapid.T) {
		restoreAll(rt)
		s := &Store{Dir: filepath.Join(t.TempDir(), "backup"), Run: "r1", Network: inv, Now: time.Now}
		interrupt := func(what string, call func() error) {
			for range rapid.IntRange(0, 3).Draw(rt, what+" interruptions") {
				var left atomic.Int64
				left.Store(int64(rapid.IntRange(0, 40).Draw(rt, what+" survives")))
				s.hooks = func(op, _ string) error {
					if left.Add(-1) < 0 {
						return fmt.Errorf("%w at %s", cut, op)
					}
					return nil
				}
				if err := call(); err != nil && !errors.Is(err, cut) {
					require.NoError(rt, err)
				}
			}
			s.hooks = nil
			require.NoError(rt, call())
		}
		interrupt("backup", func() error { _, _, err := s.Take(context.Background(), silent); return err })
		require.NoDirExists(rt, s.Dir+partialSuffix)
		ruin(rt, inv)
		interrupt("restore", func() error { _, _, err := s.Restore(context.Background(), silent); return err })
		require.Equal(rt, good, all(rt, inv))
	})
}

func TestDamagedBackupRestoresNothing(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, s *Store){
		"a changed byte": func(t *testing.T, s *Store) {
			path := filepath.Join(s.Dir, "orderer1/0/chains/ch1/blockfile_000000")
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			b[len(b)/2] ^= 1
			require.NoError(t, os.WriteFile(path, b, 0o600))
		},
		"a shorter file": func(t *testing.T, s *Store) {
			require.NoError(t, os.Truncate(filepath.Join(s.Dir, "broker/0/ch1-0/00000000000000000000.log"), 10))
		},
		"a missing file": func(t *testing.T, s *Store) {
			require.NoError(t, os.Remove(filepath.Join(s.Dir, "orderer0/0/index/000001.log")))
		},
		"a file that was put there": func(t *testing.T, s *Store) {
			require.NoError(t, os.WriteFile(filepath.Join(s.Dir, "orderer0/0/chains/note"), nil, 0o600))
		},
		"a link that points elsewhere": func(t *testing.T, s *Store) {
			require.NoError(t, os.Remove(filepath.Join(s.Dir, "broker/0/current")))
			require.NoError(t, os.Symlink("/etc", filepath.Join(s.Dir, "broker/0/current")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv := network(t)
			s := store(t, inv)
			_, _, err := s.Take(t.Context(), silent)
			require.NoError(t, err)
			damage(t, s)
			ruin(t, inv)
			ruined := all(t, inv)
			_, err = s.Verify(t.Context(), silent)
			require.ErrorIs(t, err, ErrDamaged)
			_, _, err = s.Restore(t.Context(), silent)
			require.ErrorIs(t, err, ErrDamaged)
			require.Equal(t, ruined, all(t, inv))
		})
	}
}

func TestBackupOfAnotherInventoryRestoresNothing(t *testing.T) {
	inv := network(t)
	s := store(t, inv)
	_, _, err := s.Take(t.Context(), silent)
	require.NoError(t, err)
	s.Network = network(t)
	_, _, err = s.Restore(t.Context(), silent)
	require.ErrorContains(t, err, "nothing was restored")
}

func TestACompleteBackupIsNeverOverwritten(t *testing.T) {
	inv := network(t)
	s := store(t, inv)
	first, _, err := s.Take(t.Context(), silent)
	require.NoError(t, err)
	ruin(t, inv)
	second, already, err := s.Take(t.Context(), silent)
	require.ErrorContains(t, err, "damaged", "a ledger that cannot be read is no backup")
	require.False(t, already)
	require.Empty(t, second.Manifest)
	again, err := s.Verify(t.Context(), silent)
	require.NoError(t, err)
	require.Equal(t, first.Manifest, again.Manifest)

	require.NoError(t, os.WriteFile(filepath.Join(inv.Orderers[0].LedgerDir, "chains/ch1/blockfile_000000"), nil, 0o600))
	third, _, err := s.Take(t.Context(), silent)
	require.NoError(t, err)
	require.Zero(t, third.Heights["ch1"], "the lowest height of all nodes")
	aside, err := filepath.Glob(s.Dir + ".*")
	require.NoError(t, err)
	require.Len(t, aside, 1)
}

func TestHolesStayHoles(t *testing.T) {
	inv := network(t)
	path := filepath.Join(inv.Brokers[0].Data[0], "preallocated.index")
	f, err := os.Create(path)
	require.NoError(t, err)
	const size = 64 << 20
	require.NoError(t, f.Truncate(size))
	_, err = f.WriteAt([]byte("entry"), 8<<20)
	require.NoError(t, errors.Join(err, f.Close()))
	s := store(t, inv)
	_, _, err = s.Take(t.Context(), silent)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(s.Dir, "broker/0/preallocated.index"))
	require.NoError(t, err)
	require.EqualValues(t, size, info.Size())
	require.Less(t, info.Sys().(*syscall.Stat_t).Blocks*512, int64(1<<20))
}

func TestBackupInsideOfItsSourceIsRefused(t *testing.T) {
	inv := network(t)
	s := store(t, inv)
	s.Dir = filepath.Join(inv.Orderers[0].LedgerDir, "backup")
	_, _, err := s.Take(t.Context(), silent)
	require.ErrorContains(t, err, "lies inside of")
}

func TestProgressReachesTheTotal(t *testing.T) {
	inv := network(t)
	s := store(t, inv)
	var mu sync.Mutex
	var done int64
	_, _, err := s.Take(t.Context(), func(_ string, d, _ int64) {
		mu.Lock()
		defer mu.Unlock()
		done = max(done, d)
	})
	require.NoError(t, err)
	m, _, err := ReadManifest(s.Dir)
	require.NoError(t, err)
	require.Equal(t, m.Bytes(), done)
}

func TestANetworkWithoutItsFoldersIsNotBackedUp(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*inventory.Network)
		want  string
	}{
		"a broker without data folders":       {func(n *inventory.Network) { n.Brokers[0].Data = nil }, "broker: the inventory does not name its data folders"},
		"an orderer without ledger folder":    {func(n *inventory.Network) { n.Orderers[1].LedgerDir = "" }, "orderer1: the inventory does not name its ledgerDir"},
		"a data folder that is not there":     {func(n *inventory.Network) { n.Brokers[0].Data[0] += "/missing" }, "broker: stat "},
		"a data folder that is a plain file":  {func(n *inventory.Network) { n.Brokers[0].Data[0] += "/current" }, "is not a folder"},
		"the WAL folder alone may be missing": {func(*inventory.Network) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inv := network(t)
			tc.spoil(inv)
			_, _, err := store(t, inv).Take(t.Context(), silent)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.Contains(t, Space(inv, t.TempDir()).Error, tc.want, "the preflight check says so beforehand")
		})
	}
}

func TestFoldersBehindSymbolicLinksAreCopiedAndRestored(t *testing.T) {
	inv := network(t)
	link := filepath.Join(t.TempDir(), "production")
	require.NoError(t, os.Symlink(inv.Orderers[0].LedgerDir, link))
	target := inv.Orderers[0].LedgerDir
	inv.Orderers[0].Data, inv.Orderers[0].LedgerDir = []string{target}, link
	before := snapshot(t, target)
	s := store(t, inv)
	r, _, err := s.Take(t.Context(), silent)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Heights["ch1"])
	require.NoError(t, os.RemoveAll(filepath.Join(target, "chains")))
	_, _, err = s.Restore(t.Context(), silent)
	require.NoError(t, err)
	require.Equal(t, before, snapshot(t, target))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink)
}

package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// memFile is a File in memory; full makes writes stop short.
type memFile struct {
	data []byte
	off  int64
	full int // bytes that still fit; negative for no limit
}

func newMemFile(data []byte) *memFile { return &memFile{data: bytes.Clone(data), full: -1} }

func (m *memFile) Read(p []byte) (int, error) {
	if m.off >= int64(len(m.data)) {
		return 0, io.EOF
	}
	n := copy(p, m.data[m.off:])
	m.off += int64(n)
	return n, nil
}

func (m *memFile) Write(p []byte) (int, error) {
	n := len(p)
	if m.full >= 0 && n > m.full {
		n = m.full
	}
	m.data = append(m.data[:m.off], p[:n]...)
	m.off += int64(n)
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func (m *memFile) Seek(off int64, _ int) (int64, error) { m.off = off; return off, nil }
func (m *memFile) Truncate(n int64) error               { m.data = m.data[:n]; return nil }
func (m *memFile) Sync() error                          { return nil }
func (m *memFile) Close() error                         { return nil }

func someEvents() []runbook.Event {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	return []runbook.Event{
		{At: at, Kind: runbook.EventStarted, Plan: &runbook.Plan{Run: "r1", Network: "net"}},
		{At: at.Add(time.Second), Kind: runbook.EventIntended, Effect: &runbook.Effect{ID: "a#1", Kind: runbook.GatherFacts}},
		{At: at.Add(2 * time.Second), Kind: runbook.EventDone, ID: "a#1", Evidence: &runbook.Evidence{Summary: "two\nlines"}},
	}
}

func written(t *testing.T, events ...runbook.Event) []byte {
	t.Helper()
	f := newMemFile(nil)
	j, c, err := OpenFile(f)
	require.NoError(t, err)
	require.Empty(t, c.Events)
	for _, ev := range events {
		require.NoError(t, j.Append(ev))
	}
	return f.data
}

func TestWhatIsAppendedIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "journal")
	j, _, err := Open(path)
	require.NoError(t, err)
	events := someEvents()
	require.NoError(t, j.Append(events[:2]...))
	require.NoError(t, j.Append(events[2]))
	require.Equal(t, 3, j.Len())
	require.NoError(t, j.Close())

	j, c, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, events, c.Events)
	require.Zero(t, c.Removed)
	require.NoError(t, j.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// A crash may cut the file anywhere: what is left is a prefix of the events,
// and the journal goes on from there.
func TestAJournalCutAnywhereOpensAndGoesOn(t *testing.T) {
	events := someEvents()
	whole := written(t, events...)
	for size := range len(whole) + 1 {
		f := newMemFile(whole[:size])
		j, c, err := OpenFile(f)
		require.NoError(t, err, "cut at %d", size)
		require.Equal(t, events[:len(c.Events)], append([]runbook.Event{}, c.Events...), "cut at %d", size)
		require.NoError(t, j.Append(events[2]))
		_, again, err := OpenFile(newMemFile(f.data))
		require.NoError(t, err)
		require.Len(t, again.Events, len(c.Events)+1, "cut at %d", size)
		require.Zero(t, again.Removed)
	}
}

func TestDamageBeforeTheEndIsRefused(t *testing.T) {
	whole := written(t, someEvents()...)
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x04
		_, c, err := OpenFile(newMemFile(damaged))
		switch {
		case i < len(header):
			require.ErrorIs(t, err, ErrForeign, "byte %d", i)
		case i == len(whole)-1:
			require.NoError(t, err, "without its end the last record counts as cut off")
			require.Len(t, c.Events, 2)
		default:
			require.ErrorIs(t, err, ErrDamaged, "byte %d", i)
		}
	}
}

func TestBlocksThatNeverReachedTheDiskAreACutOffRecord(t *testing.T) {
	whole := written(t, someEvents()...)
	for i := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1; i < len(whole)-1; i++ {
		whole[i] = 0
	}
	_, c, err := OpenFile(newMemFile(whole))
	require.NoError(t, err)
	require.Len(t, c.Events, 2)
}

func TestARecordThatIsMissingOrRepeatedIsDamage(t *testing.T) {
	lines := bytes.SplitAfter(written(t, append(someEvents(), someEvents()...)...), []byte("\n"))
	missing := bytes.Join(append(append([][]byte{}, lines[:2]...), lines[3:]...), nil)
	_, _, err := OpenFile(newMemFile(missing))
	require.ErrorIs(t, err, ErrDamaged)

	repeated := bytes.Join(append(append([][]byte{}, lines[:3]...), lines[2:]...), nil)
	_, _, err = OpenFile(newMemFile(repeated))
	require.ErrorIs(t, err, ErrDamaged)
}

func TestAFullDiskEndsTheJournalAndLosesNothingWritten(t *testing.T) {
	events := someEvents()
	f := newMemFile(nil)
	j, _, err := OpenFile(f)
	require.NoError(t, err)
	require.NoError(t, j.Append(events[0]))
	f.full = 10
	require.ErrorContains(t, j.Append(events[1]), "no space left")
	f.full = -1
	require.Error(t, j.Append(events[1]), "after a failed write nothing may be appended behind it")
	_, c, err := OpenFile(newMemFile(f.data))
	require.NoError(t, err)
	require.Equal(t, events[:1], c.Events)
	require.Equal(t, 10, c.Removed)
}

func TestTheLockNamesItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	owner := Owner{PID: 42, By: "op@bastion", Since: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	l, err := Acquire(path, owner)
	require.NoError(t, err)
	_, err = Acquire(path, owner)
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, "by op@bastion, process 42, since 2026-11-22T03:00:00Z")
	require.NoError(t, l.Release())
	l, err = Acquire(path, owner)
	require.NoError(t, err)
	require.NoError(t, l.Release())
}

func FuzzOpenFile(f *testing.F) {
	f.Add([]byte(header + "00000000 {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, c, err := OpenFile(newMemFile(data))
		if err == nil && j.Len() != len(c.Events) {
			t.Fatal("length does not match the events")
		}
	})
}

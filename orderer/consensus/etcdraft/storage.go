package etcdraft

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/raft/v3"
	"go.etcd.io/etcd/raft/v3/raftpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/snap"
	"go.etcd.io/etcd/server/v3/wal"
	"go.etcd.io/etcd/server/v3/wal/walpb"
	"go.uber.org/zap"
)

// storageStep names a moment between two changes on disk.
type storageStep string

// The steps of storage in the order in which save and takeSnapshot take them.
// A process may die at any of them.
const (
	stepSnapshotRecord storageStep = "before the snapshot's record is in the log"
	stepSnapshotFile   storageStep = "before the snapshot's file is written"
	stepSnapshotSaved  storageStep = "after the snapshot is on disk"
	stepEntriesSaved   storageStep = "after hard state and entries are on disk"
	stepReleased       storageStep = "after old segments are released"
)

// raftStorage is what the raft loop asks of storage.
type raftStorage interface {
	// save makes a Ready durable and then visible in entries.
	save(hs raftpb.HardState, entries []raftpb.Entry, sn raftpb.Snapshot) error
	takeSnapshot(index uint64, cs raftpb.ConfState, data []byte) error
	entries() raft.Storage
	lastIndex() uint64
	snapshot() raftpb.Snapshot
	close() error
}

// storage keeps the Raft state of one channel: write-ahead log and snapshots
// on disk, the live entries in memory. Only the raft loop uses it.
type storage struct {
	log             *zap.SugaredLogger
	walDir, snapDir string
	ram             *raft.MemoryStorage
	wal             *wal.WAL
	snapshotter     *snap.Snapshotter
	catchUpEntries  uint64
	// kept are the indices of the snapshots on disk, ascending.
	kept []uint64
	// atStep is called at each step; an error stops the operation there. Nil
	// outside tests.
	atStep func(storageStep) error
}

type storageConfig struct {
	walDir, snapDir string
	catchUpEntries  uint64
	log             *zap.SugaredLogger
	atStep          func(storageStep) error
}

// openStorage opens or creates the storage of a channel. fresh is set if there
// was no Raft state yet: no log, or one whose very first write did not end, so
// that this node cannot have promised anything to anybody.
func openStorage(cfg storageConfig) (s *storage, fresh bool, err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on records that do not decode
			err = fmt.Errorf("failed to read WAL: %v", r)
		}
		if err != nil && s != nil && s.wal != nil {
			_ = s.wal.Close() // the first error is the one to report
		}
	}()
	s = &storage{
		log: cfg.log, walDir: cfg.walDir, snapDir: cfg.snapDir, catchUpEntries: cfg.catchUpEntries,
		ram: raft.NewMemoryStorage(), atStep: cfg.atStep,
	}
	if err := errors.Join(os.MkdirAll(s.snapDir, 0o750), syncDir(filepath.Dir(s.snapDir))); err != nil {
		return s, false, fmt.Errorf("failed to create the snapshot folder: %w", err)
	}
	lg := s.zapLogger()
	s.snapshotter = snap.New(lg, s.snapDir)
	if !wal.Exist(s.walDir) {
		return s, true, s.create(lg)
	}
	fresh, err = s.open(lg)
	return s, fresh, err
}

func (s *storage) zapLogger() *zap.Logger { return warningsOnly(s.log) }

// create starts a new log. Snapshots without a log mean that the log was lost
// or its folder is not mounted; going on would forget votes.
func (s *storage) create(lg *zap.Logger) error {
	files, err := snapshotFiles(s.snapDir)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		return fmt.Errorf("there are Raft snapshots in %s, but no write-ahead log in %s: the log was lost or its folder "+
			"is not mounted; to let this node join anew, remove the snapshots too", s.snapDir, s.walDir)
	}
	s.log.Infof("No WAL data found, creating new WAL at path '%s'", s.walDir)
	if err := os.MkdirAll(filepath.Dir(s.walDir), 0o750); err != nil {
		return fmt.Errorf("failed to create the WAL folder: %w", err)
	}
	if s.wal, err = wal.Create(lg, s.walDir, nil); err != nil {
		return fmt.Errorf("failed to create WAL: %w", err)
	}
	return nil
}

// open replays an existing log from the newest snapshot that it knows of.
func (s *storage) open(lg *zap.Logger) (fresh bool, err error) {
	s.log.Infof("Found WAL data at path '%s', replaying it", s.walDir)
	hs, entries, sn, err := s.read(lg)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		// The last write did not end; what it would have said was not promised.
		s.log.Warnf("WAL ends with an incomplete record, repairing it: %s", err)
		if !wal.Repair(lg, s.walDir) {
			return false, fmt.Errorf("failed to read WAL and cannot repair: %w", err)
		}
		hs, entries, sn, err = s.read(lg)
	}
	if err != nil {
		return false, fmt.Errorf("failed to read WAL and cannot repair: %w", err)
	}
	if raft.IsEmptyHardState(hs) && raft.IsEmptySnap(sn) {
		return true, nil
	}
	if hs.Commit < sn.Metadata.Index {
		hs.Commit = sn.Metadata.Index // a snapshot holds only what is committed
	}
	if last := sn.Metadata.Index + uint64(len(entries)); hs.Commit > last {
		return false, fmt.Errorf("WAL in %s ends at index %d although index %d was committed: entries or a snapshot were lost",
			s.walDir, last, hs.Commit)
	}
	if !raft.IsEmptySnap(sn) {
		if err := s.ram.ApplySnapshot(sn); err != nil {
			return false, fmt.Errorf("loading snapshot at index %d: %w", sn.Metadata.Index, err)
		}
	}
	if err := s.ram.SetHardState(hs); err != nil {
		return false, fmt.Errorf("loading hard state: %w", err)
	}
	if err := s.ram.Append(entries); err != nil {
		return false, fmt.Errorf("loading entries: %w", err)
	}
	return false, nil
}

func (s *storage) read(lg *zap.Logger) (hs raftpb.HardState, entries []raftpb.Entry, sn raftpb.Snapshot, err error) {
	recorded, err := wal.ValidSnapshotEntries(lg, s.walDir)
	if err != nil {
		return hs, nil, sn, fmt.Errorf("reading snapshot records: %w", err)
	}
	newest, err := s.snapshotter.LoadNewestAvailable(recorded)
	if err != nil && !errors.Is(err, snap.ErrNoSnapshot) {
		return hs, nil, sn, fmt.Errorf("loading snapshot: %w", err)
	}
	var start walpb.Snapshot
	if newest != nil {
		sn = *newest
		start = walpb.Snapshot{Index: sn.Metadata.Index, Term: sn.Metadata.Term}
	}
	if s.kept, err = snapshotIndices(s.snapDir); err != nil {
		return hs, nil, sn, err
	}
	w, err := wal.Open(lg, s.walDir, start)
	if err != nil {
		return hs, nil, sn, fmt.Errorf("opening WAL: %w", err)
	}
	if _, hs, entries, err = w.ReadAll(); err != nil {
		_ = w.Close() // reading failed, that is the error to report
		return hs, nil, sn, fmt.Errorf("reading WAL: %w", err)
	}
	s.wal = w
	return hs, entries, sn, nil
}

// save makes a Ready durable and then visible in memory. A snapshot goes
// first: a hard state that commits beyond the log, with the snapshot missing
// after a crash, could never be loaded again.
func (s *storage) save(hs raftpb.HardState, entries []raftpb.Entry, sn raftpb.Snapshot) error {
	received := !raft.IsEmptySnap(sn)
	if received {
		if err := s.saveSnapshot(sn); err != nil {
			return err
		}
	}
	if err := s.wal.Save(hs, entries); err != nil {
		return fmt.Errorf("failed to write WAL: %w", err)
	}
	if received {
		if err := s.wal.Sync(); err != nil {
			return fmt.Errorf("failed to sync WAL: %w", err)
		}
	}
	if err := s.step(stepEntriesSaved); err != nil {
		return err
	}
	if received {
		if err := s.ram.ApplySnapshot(sn); err != nil {
			return fmt.Errorf("failed to apply snapshot at index %d: %w", sn.Metadata.Index, err)
		}
	}
	if !raft.IsEmptyHardState(hs) {
		if err := s.ram.SetHardState(hs); err != nil {
			return fmt.Errorf("failed to set hard state: %w", err)
		}
	}
	if err := s.ram.Append(entries); err != nil {
		return fmt.Errorf("failed to append entries: %w", err)
	}
	if received {
		return s.release()
	}
	return nil
}

// takeSnapshot replaces the log up to index by a snapshot with data. Nothing
// happens if there is a snapshot at or beyond index.
func (s *storage) takeSnapshot(index uint64, cs raftpb.ConfState, data []byte) error {
	sn, err := s.ram.CreateSnapshot(index, &cs, data)
	if errors.Is(err, raft.ErrSnapOutOfDate) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed to create snapshot at index %d: %w", index, err)
	}
	if err := s.saveSnapshot(sn); err != nil {
		return err
	}
	s.log.Infof("Snapshot is taken at index %d", index)
	if index > s.catchUpEntries {
		if err := s.ram.Compact(index - s.catchUpEntries); err != nil && !errors.Is(err, raft.ErrCompacted) {
			return fmt.Errorf("failed to compact the log: %w", err)
		}
	}
	return s.release()
}

func (s *storage) saveSnapshot(sn raftpb.Snapshot) error {
	if err := s.step(stepSnapshotRecord); err != nil {
		return err
	}
	record := walpb.Snapshot{Index: sn.Metadata.Index, Term: sn.Metadata.Term, ConfState: &sn.Metadata.ConfState}
	if err := s.wal.SaveSnapshot(record); err != nil {
		return fmt.Errorf("failed to write snapshot record to WAL: %w", err)
	}
	if err := s.step(stepSnapshotFile); err != nil {
		return err
	}
	if err := s.snapshotter.SaveSnap(sn); err != nil {
		return fmt.Errorf("failed to write snapshot file: %w", err)
	}
	if err := syncDir(s.snapDir); err != nil {
		return err
	}
	s.kept = append(s.kept, sn.Metadata.Index)
	return s.step(stepSnapshotSaved)
}

func (s *storage) step(at storageStep) error {
	if s.atStep == nil {
		return nil
	}
	return s.atStep(at)
}

func (s *storage) entries() raft.Storage { return s.ram }

// lastIndex is the index of the last entry or of the snapshot, if that is later.
func (s *storage) lastIndex() uint64 {
	i, err := s.ram.LastIndex()
	if err != nil { // memory storage has none
		return 0
	}
	return i
}

// snapshot returns the newest snapshot, possibly an empty one.
func (s *storage) snapshot() raftpb.Snapshot {
	sn, err := s.ram.Snapshot()
	if err != nil { // memory storage has none
		return raftpb.Snapshot{}
	}
	return sn
}

func (s *storage) close() error {
	if err := s.wal.Close(); err != nil {
		return fmt.Errorf("failed to close WAL: %w", err)
	}
	return nil
}

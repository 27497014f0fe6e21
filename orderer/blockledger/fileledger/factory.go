package fileledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"go.uber.org/zap"

	"raftmig/orderer/blockledger"
	"raftmig/orderer/metrics"
)

const (
	// MaxFileSize is the size in bytes that a block file does not exceed
	// unless it holds a single larger block.
	MaxFileSize = 64 << 20
	// DefaultTailBytes is the size in bytes of the recent blocks that a
	// channel keeps in memory.
	DefaultTailBytes = 8 << 20
)

// Options are the settings of a factory; all of them may be left out.
type Options struct {
	Metrics metrics.Provider
	Logger  *zap.SugaredLogger
	// TailBytes is the size in bytes of the recent blocks kept in memory per
	// channel; the last block always is. 0 means DefaultTailBytes.
	TailBytes int64
	// MaxFileSize replaces the constant of that name; Fabric has no such setting.
	MaxFileSize int64
	// Now is the clock of the commit time metric.
	Now func() time.Time
	// OnRemove deletes what is kept elsewhere for a channel whose ledger is
	// being removed; the removal has ended only when it has. It is called again
	// after a crash, and may be nil.
	OnRemove func(channelID string) error
}

// Factory keeps the ledgers of one folder. It implements blockledger.Factory.
type Factory struct {
	dir     string
	db      *leveldb.DB
	opts    *options
	metrics *factoryMetrics
	log     *zap.SugaredLogger

	mu      sync.Mutex
	ledgers map[string]*Ledger
	closed  bool
}

// New opens the folder dir, FileLedger.Location of orderer.yaml, creating it
// if there is none, and finishes removals that a crash cut short. Only one
// process may have the folder open.
func New(dir string, opts Options) (blockledger.Factory, error) {
	o := &options{maxFileSize: opts.MaxFileSize, tailBytes: opts.TailBytes, now: opts.Now, open: openFile, onRemove: opts.OnRemove}
	if o.maxFileSize <= 0 {
		o.maxFileSize = MaxFileSize
	}
	if o.tailBytes <= 0 {
		o.tailBytes = DefaultTailBytes
	}
	if o.now == nil {
		o.now = time.Now
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.Disabled{}
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop().Sugar()
	}
	return newFactory(dir, o, newMetrics(opts.Metrics), opts.Logger)
}

func newFactory(dir string, o *options, m *factoryMetrics, log *zap.SugaredLogger) (*Factory, error) {
	f := &Factory{dir: dir, opts: o, metrics: m, log: log, ledgers: map[string]*Ledger{}}
	if err := f.makeFolders(); err != nil {
		return nil, fmt.Errorf("creating ledger folder: %w", err)
	}
	db, err := openIndex(filepath.Join(dir, "index"), log)
	if err != nil {
		return nil, err
	}
	f.db = db
	if err := f.finishRemovals(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

// makeFolders makes what is missing, durably: a ledger is as durable as the
// folders that it lies in.
func (f *Factory) makeFolders() error {
	_, err := os.Stat(f.dir)
	missing := errors.Is(err, os.ErrNotExist)
	for _, d := range []string{f.chainsDir(), f.removalsDir()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if missing { // else it may lie in a folder that is not ours to open
		if err := syncDir(filepath.Dir(f.dir)); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(f.dir), syncDir(filepath.Dir(f.removalsDir())))
}

func (f *Factory) chainsDir() string   { return filepath.Join(f.dir, "chains") }
func (f *Factory) removalsDir() string { return filepath.Join(f.dir, "pendingops", "remove") }

// GetOrCreate implements blockledger.Factory.
func (f *Factory) GetOrCreate(channelID string) (blockledger.ReadWriter, error) {
	if err := checkName(channelID); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, blockledger.ErrClosed
	}
	if l := f.ledgers[channelID]; l != nil {
		return l, nil
	}
	dir := filepath.Join(f.chainsDir(), channelID)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		if err := errors.Join(os.Mkdir(dir, 0o755), syncDir(f.chainsDir())); err != nil {
			return nil, fmt.Errorf("creating ledger folder of channel %s: %w", channelID, err)
		}
	}
	log := f.log.With("channel", channelID)
	l, err := openLedger(dir, newIndex(f.db, channelID), f.opts, f.metrics.of(channelID), log)
	if err != nil {
		return nil, fmt.Errorf("opening ledger of channel %s: %w", channelID, err)
	}
	f.ledgers[channelID] = l
	return l, nil
}

// checkName refuses names that would leave the folder or mix up index keys.
func checkName(channelID string) error {
	if channelID == "" || channelID == "." || channelID == ".." || strings.ContainsAny(channelID, "/\\\x00") {
		return fmt.Errorf("%q cannot be the name of a ledger", channelID)
	}
	return nil
}

// ChannelIDs implements blockledger.Factory.
func (f *Factory) ChannelIDs() ([]string, error) {
	entries, err := os.ReadDir(f.chainsDir())
	if err != nil {
		return nil, fmt.Errorf("listing ledgers: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Remove implements blockledger.Factory. A marker on disk makes New finish a
// removal that was cut short. Removing what is not there is no error.
func (f *Factory) Remove(channelID string) error {
	if err := checkName(channelID); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return blockledger.ErrClosed
	}
	return f.remove(channelID)
}

const removalSuffix = ".remove"

func (f *Factory) remove(channelID string) error {
	marker := filepath.Join(f.removalsDir(), channelID+removalSuffix)
	if err := errors.Join(os.WriteFile(marker, nil, 0o600), syncDir(f.removalsDir())); err != nil {
		return fmt.Errorf("marking ledger of channel %s for removal: %w", channelID, err)
	}
	if l := f.ledgers[channelID]; l != nil {
		delete(f.ledgers, channelID)
		if err := l.close(); err != nil {
			f.log.Warnf("Closing ledger of channel %s before its removal: %s", channelID, err)
		}
	}
	if f.opts.onRemove != nil {
		if err := f.opts.onRemove(channelID); err != nil {
			return err
		}
	}
	if err := newIndex(f.db, channelID).clear(); err != nil {
		return fmt.Errorf("removing ledger of channel %s: %w", channelID, err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(f.chainsDir(), channelID)), syncDir(f.chainsDir())); err != nil {
		return fmt.Errorf("removing ledger of channel %s: %w", channelID, err)
	}
	if err := errors.Join(os.Remove(marker), syncDir(f.removalsDir())); err != nil {
		return fmt.Errorf("ending removal of ledger of channel %s: %w", channelID, err)
	}
	return nil
}

func (f *Factory) finishRemovals() error {
	entries, err := os.ReadDir(f.removalsDir())
	if err != nil {
		return fmt.Errorf("listing unfinished removals: %w", err)
	}
	for _, e := range entries {
		channelID, ok := strings.CutSuffix(e.Name(), removalSuffix)
		if !ok || checkName(channelID) != nil {
			continue
		}
		if err := f.remove(channelID); err != nil {
			return err
		}
		f.log.Infof("Removed channel: %s", channelID)
	}
	return nil
}

// Close implements blockledger.Factory.
func (f *Factory) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var errs []error
	for _, l := range f.ledgers {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, f.db.Close())...)
}

//go:build !linux

package fileledger

// Datasync implements file with fsync.
func (f osFile) Datasync() error { return f.Sync() }

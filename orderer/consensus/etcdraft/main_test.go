package etcdraft

import (
	"os"
	"testing"

	"go.etcd.io/etcd/server/v3/wal"
)

// Small segments, so that tests see more than one and copy little.
func TestMain(m *testing.M) {
	wal.SegmentSizeBytes = 256 << 10
	os.Exit(m.Run())
}

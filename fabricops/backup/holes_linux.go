package backup

import (
	"errors"
	"os"
	"syscall"
)

// Whence values of lseek(2) that find data and holes.
const (
	seekData = 3
	seekHole = 4
)

// extent returns the next stretch of data at or after at. A file system that
// knows no holes has one stretch.
func extent(in *os.File, at, size int64) (data, hole int64) {
	data, err := in.Seek(at, seekData)
	if errors.Is(err, syscall.ENXIO) {
		return size, size
	}
	if err != nil || data < at {
		return at, size
	}
	hole, err = in.Seek(data, seekHole)
	if err != nil || hole <= data {
		return data, size
	}
	return min(data, size), min(hole, size)
}

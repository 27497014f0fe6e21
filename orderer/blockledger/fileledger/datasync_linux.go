package fileledger

import "golang.org/x/sys/unix"

// Datasync implements file with fdatasync.
func (f osFile) Datasync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

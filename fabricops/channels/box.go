package channels

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/golang/protobuf/proto"

	"raftmig/fabricops/channelcfg"
	"raftmig/orderer/protoutil"
)

// Box is the folder in which a run leaves updates for administrators elsewhere
// to sign, and finds what they have signed.
type Box struct{ Dir string }

// File is where the update of a channel lies.
func (b Box) File(u *channelcfg.Update) string {
	return filepath.Join(b.Dir, u.Channel+"."+string(u.Change)+".tx")
}

// Collect adds to u the signatures that lie in the box: in its own file, if
// that is still the same update, and in any other *.tx file beside it. Files of
// other updates, and files that cannot be read because somebody is still
// copying them, are passed over. It reports whether an own file was found that
// was made for an older configuration; its signatures are worth nothing any more.
func (b Box) Collect(u *channelcfg.Update) (stale bool, err error) {
	if own, err := ReadUpdates(b.File(u)); err == nil {
		same, err := sameUpdate(own, u)
		if err != nil {
			return false, err
		}
		if stale = !same; same { // signatures are over its bytes
			u.Bytes = own.Bytes
		}
	}
	files, err := filepath.Glob(filepath.Join(b.Dir, "*.tx"))
	if err != nil {
		return stale, fmt.Errorf("looking for signed files: %w", err)
	}
	for _, file := range files {
		signed, err := ReadUpdates(file)
		if err != nil {
			continue
		}
		if err := u.Merge(signed); err != nil && !errors.Is(err, channelcfg.ErrOtherUpdate) {
			return stale, fmt.Errorf("%s: %w", file, err)
		}
	}
	return stale, nil
}

// Put writes an update into the box.
func (b Box) Put(u *channelcfg.Update) error {
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return err
	}
	return WriteUpdate(b.File(u), u)
}

// sameUpdate compares content; encodings of the same content can differ.
func sameUpdate(a, b *channelcfg.Update) (bool, error) {
	x, err := protoutil.UnmarshalConfigUpdate(a.Bytes)
	if err != nil {
		return false, err
	}
	y, err := protoutil.UnmarshalConfigUpdate(b.Bytes)
	return err == nil && proto.Equal(x, y), err
}

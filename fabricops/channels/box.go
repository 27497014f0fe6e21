package channels

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/golang/protobuf/proto"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/internal/durable"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Box is the folder in which a run leaves updates for administrators elsewhere
// to sign, and finds what they have signed.
type Box struct{ Dir string }

// AwaitedFile is the name of the list, inside of a box, of the updates that lack
// signatures: a JSON array of runbook.SignatureState. It is there only while
// there are any.
const AwaitedFile = "awaited.json"

// File is where the update of a channel lies.
func (b Box) File(u *channelcfg.Update) string {
	return filepath.Join(b.Dir, u.Channel+"."+string(u.Change)+".tx")
}

// Names lists the files that may hold signatures: every *.tx in the box, and in
// folders in it, so that what two administrators have signed can lie side by side.
func (b Box) Names() ([]string, error) {
	var all []string
	for _, pattern := range []string{"*.tx", "*/*.tx"} {
		files, err := filepath.Glob(filepath.Join(b.Dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("looking for signed files: %w", err)
		}
		all = append(all, files...)
	}
	return all, nil
}

// Stamp differs once any of these files has been added, removed or written to.
func (b Box) Stamp() string {
	names, err := b.Names()
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, file := range names {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(&out, "%s %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return out.String()
}

// Files reads what lies in the box. What cannot be read, because somebody is
// still copying it, is passed over.
func (b Box) Files() ([]*channelcfg.Update, error) {
	names, err := b.Names()
	if err != nil {
		return nil, err
	}
	var all []*channelcfg.Update
	for _, file := range names {
		if u, err := ReadUpdates(file); err == nil {
			all = append(all, u)
		}
	}
	return all, nil
}

// Collect adds to u the signatures that lie in the box: in its own file, if
// that is still the same update, and in any of files. Other updates are passed
// over. It reports whether the same update lies there for others to sign, and
// whether an own file was found that was made for an older configuration; its
// signatures are worth nothing any more.
func (b Box) Collect(u *channelcfg.Update, files []*channelcfg.Update) (lies, stale bool, err error) {
	if own, err := ReadUpdates(b.File(u)); err == nil {
		if lies, err = sameUpdate(own, u); err != nil {
			return false, false, err
		}
		if stale = !lies; lies { // signatures are over its bytes
			u.Bytes = own.Bytes
			if err := u.Merge(own); err != nil {
				return lies, stale, fmt.Errorf("%s: %w", b.File(u), err)
			}
		}
	}
	if !lies { // it may be lost, and signed copies be there
		for _, signed := range files {
			if same, err := sameUpdate(signed, u); err == nil && same {
				u.Bytes = signed.Bytes
				break
			}
		}
	}
	for _, signed := range files {
		if err := u.Merge(signed); err != nil && !errors.Is(err, channelcfg.ErrOtherUpdate) {
			return lies, stale, err
		}
	}
	return lies, stale, nil
}

// Put writes an update into the box.
func (b Box) Put(u *channelcfg.Update) error {
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return err
	}
	return WriteUpdate(b.File(u), u)
}

// Note leaves the list of the updates that lack signatures in AwaitedFile.
func (b Box) Note(open []runbook.SignatureState) error {
	file := filepath.Join(b.Dir, AwaitedFile)
	if len(open) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the list of awaited signatures: %w", err)
		}
		return nil
	}
	data, err := json.MarshalIndent(open, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the list of awaited signatures: %w", err)
	}
	return durable.Replace(file, append(data, '\n'), fileMode)
}

// sameUpdate compares content; encodings of the same content can differ.
func sameUpdate(a, b *channelcfg.Update) (bool, error) {
	if a.Channel != b.Channel {
		return false, nil
	}
	x, err := protoutil.UnmarshalConfigUpdate(a.Bytes)
	if err != nil {
		return false, err
	}
	y, err := protoutil.UnmarshalConfigUpdate(b.Bytes)
	return err == nil && proto.Equal(x, y), err
}

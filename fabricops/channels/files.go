package channels

import (
	"errors"
	"fmt"
	"os"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/configfile"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/durable"
	"raftmig/fabricops/inventory"
)

// fileMode of what is written: it is public, signatures and all.
const fileMode = 0o644

// WriteBlock writes the config block as peer channel fetch does.
func WriteBlock(file string, v *channelcfg.View) error {
	data, err := proto.Marshal(v.Block)
	if err != nil {
		return fmt.Errorf("encoding the block: %w", err)
	}
	return durable.Replace(file, data, fileMode)
}

// ReadBlock reads a config block.
func ReadBlock(file string) (*channelcfg.View, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m, err := configfile.DecodeBlock(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	v, err := channelcfg.FromBlock(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return v, nil
}

// ReadUpdates reads one update from one or more files that different
// administrators have signed, and joins their signatures.
func ReadUpdates(files ...string) (*channelcfg.Update, error) {
	var joined *channelcfg.Update
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		u, err := configfile.UpdateOf(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if joined == nil {
			joined = u
			continue
		}
		if err := joined.Merge(u); err != nil {
			return nil, fmt.Errorf("%s and %s: %w", files[0], file, err)
		}
	}
	if joined == nil {
		return nil, errors.New("no file with an update")
	}
	return joined, nil
}

// WriteUpdate writes an update and its signatures for others to sign. The file
// is replaced at once or not at all.
func WriteUpdate(file string, u *channelcfg.Update) error {
	env, err := u.Export()
	if err != nil {
		return err
	}
	data, err := proto.Marshal(env)
	if err != nil {
		return fmt.Errorf("encoding the update: %w", err)
	}
	return durable.Replace(file, data, fileMode) // it may hold signatures that nobody has elsewhere
}

// Sign adds the signatures of ids that the update does not have yet, and
// returns the MSP IDs of those that were added.
func Sign(u *channelcfg.Update, ids []inventory.Identity) ([]string, error) {
	var added []string
	for _, id := range ids {
		signer, err := identity.Load(id)
		if err != nil {
			return added, err
		}
		signed, err := u.SignedBy(signer)
		if err != nil {
			return added, err
		}
		if signed {
			continue
		}
		if err := u.Sign(signer); err != nil {
			return added, err
		}
		added = append(added, id.MSPID)
	}
	return added, nil
}

// WriteBlocks writes what was fetched to file ("" for CHANNEL.block) or, if
// each has its own, to CHANNEL.NODE.block, and notes the file in each. The
// error names the nodes that could not be read.
func WriteBlocks(all []Fetched, file string, each bool) error {
	var errs []error
	for i := range all {
		f := &all[i]
		if f.Error != "" {
			errs = append(errs, fmt.Errorf("%s: %s", f.Node, f.Error))
			continue
		}
		switch {
		case each:
			f.File = f.Channel + "." + f.Node + ".block"
		case file == "":
			f.File = f.Channel + ".block"
		default:
			f.File = file
		}
		if err := WriteBlock(f.File, f.View); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// DiffFiles compares the configurations in two files, of any form.
func DiffFiles(before, after string) ([]configfile.Change, error) {
	var configs [2]*cb.Config
	for i, file := range []string{before, after} {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if configs[i], err = configfile.ConfigOf(data); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	changes, err := configfile.Diff(configs[0], configs[1])
	if changes == nil {
		changes = []configfile.Change{} // an empty list in JSON too
	}
	return changes, err
}

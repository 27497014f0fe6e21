package channels

import (
	"context"
	"errors"
	"fmt"
	"os"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/configfile"
	"raftmig/fabricops/inventory"
	"raftmig/runbook"
)

// Making says how an update is made.
type Making struct {
	Channel string
	// Change is one of a migration; or Edited is the file of an edited configuration.
	Change runbook.Change
	Edited string
	// Block is the file of the config block to start from, "" to ask Network.
	Block   string
	Network *inventory.Network
	// File is written; "" for CHANNEL.tx. It must not exist unless Replace is set,
	// for it may have signatures.
	File    string
	Replace bool
}

// Check returns what is wrong with what was asked for.
func (m *Making) Check() error {
	if err := inventory.ValidChannel(m.Channel); err != nil {
		return err // before it is part of a file's name
	}
	switch {
	case m.Change == "" && m.Edited == "":
		return errors.New("say what to change: enter-maintenance, switch-type, exit-maintenance, or --config with an edited configuration")
	case m.Change != "" && m.Edited != "":
		return errors.New("give either a change by name or --config")
	}
	switch m.Change {
	case "", runbook.ChangeEnterMaintenance, runbook.ChangeSwitchType, runbook.ChangeExitMaintenance:
	default:
		return fmt.Errorf("unknown change %q: enter-maintenance, switch-type or exit-maintenance", m.Change)
	}
	if m.File == "" {
		m.File = m.Channel + ".tx"
	}
	if _, err := os.Lstat(m.File); err == nil && !m.Replace {
		return fmt.Errorf("%s exists and may have signatures; give --output or --force", m.File)
	}
	return nil
}

// NeedsNetwork reports whether Network has to be set.
func (m *Making) NeedsNetwork() bool {
	return m.Block == "" || m.Change == runbook.ChangeSwitchType
}

// Make computes the update and writes it to a file, which it returns.
func (m *Making) Make(ctx context.Context) (*channelcfg.Update, string, error) {
	v, err := m.view(ctx)
	if err != nil {
		return nil, "", err
	}
	if v.Channel != m.Channel {
		return nil, "", fmt.Errorf("%s is of channel %s, not of %s", m.Block, v.Channel, m.Channel)
	}
	var u *channelcfg.Update
	if m.Edited == "" {
		u, err = Change(v, m.Change, m.Network)
	} else {
		var data []byte
		if data, err = os.ReadFile(m.Edited); err != nil {
			return nil, "", err
		}
		u, err = configfile.EditedUpdate(v, data)
	}
	if err != nil {
		return nil, "", fmt.Errorf("channel %s: %w", m.Channel, err)
	}
	return u, m.File, WriteUpdate(m.File, u)
}

func (m *Making) view(ctx context.Context) (v *channelcfg.View, err error) {
	if m.Block != "" {
		return ReadBlock(m.Block)
	}
	n, err := Open(m.Network)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	f, err := n.Newest(ctx, m.Channel)
	return f.View, err
}

// Description is what is known of an update.
type Description struct {
	Channel     string                   `json:"channel"`
	File        string                   `json:"file,omitempty"`
	Changes     []configfile.Change      `json:"changes"`
	Signers     []channelcfg.SignatureOf `json:"signers"`
	Receipt     *runbook.UpdateReceipt   `json:"receipt,omitempty"` // nil if it was not submitted
	AlreadyDone bool                     `json:"already_done,omitempty"`
}

// Describe describes an update; r is nil if it was not submitted.
func Describe(u *channelcfg.Update, file string, r *channelcfg.Result) (*Description, error) {
	changes, err := configfile.Touched(u)
	if err != nil {
		return nil, err
	}
	d := &Description{Channel: u.Channel, File: file, Changes: changes, Signers: u.Signers()}
	if r != nil {
		d.Receipt, d.AlreadyDone = &r.Receipt, r.AlreadyDone
	}
	return d, nil
}

package testnet

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/golang/protobuf/proto"

	"raftmig/testnet/configtxgen"
)

// writeBlocks writes the genesis block, if there is a system channel, and what
// channels are created from.
func (m *Manifest) writeBlocks(dir string, t *topology, p *profiles) error {
	options := configtxgen.Options{Warn: func(text string) {
		if !slices.Contains(m.Notes, text) {
			m.Notes = append(m.Notes, text)
		}
	}}
	if !m.Spec.NoSystemChannel {
		block, err := configtxgen.GenesisBlock(p.genesis, m.Spec.SystemChannel, options)
		if err != nil {
			return fmt.Errorf("making the genesis block: %w", err)
		}
		if err := writeProto(dir, genesisFile, block); err != nil {
			return err
		}
	}
	for i, name := range m.Spec.Channels {
		profile := p.channels[i%len(p.channels)]
		c := m.channel(name)
		made, err := c.make(profile, options)
		if err != nil {
			return fmt.Errorf("making the creation of channel %s: %w", name, err)
		}
		if err := writeProto(dir, c.file(), made); err != nil {
			return err
		}
		if err := c.identities(t, profile); err != nil {
			return fmt.Errorf("channel %s: %w", name, err)
		}
		m.Channels = append(m.Channels, c)
	}
	return nil
}

// channel is an application channel of the network, as yet without identities.
func (m *Manifest) channel(name string) Channel {
	if m.Spec.NoSystemChannel {
		return Channel{Name: name, Genesis: path.Join("channels", name+".block")}
	}
	return Channel{Name: name, CreateTx: path.Join("channels", name+".tx")}
}

// file is what the channel is created from.
func (c *Channel) file() string { return cmp.Or(c.Genesis, c.CreateTx) }

// make makes the content of file.
func (c *Channel) make(p *configtxgen.Profile, options configtxgen.Options) (proto.Message, error) {
	if c.Genesis != "" {
		return configtxgen.GenesisBlock(p, c.Name, options)
	}
	return configtxgen.CreateChannelTx(p, nil, c.Name, options)
}

// identities finds who creates the channel and who writes to it.
func (c *Channel) identities(t *topology, p *configtxgen.Profile) error {
	for _, org := range p.Application.Organizations {
		i := slices.IndexFunc(t.appOrgs, func(o organization) bool {
			return strings.HasSuffix(path.Dir(filepath.ToSlash(org.MSPDir)), "peerOrganizations/"+o.domain)
		})
		if i < 0 {
			continue
		}
		o := t.appOrgs[i]
		c.Creator = Identity{org.ID, o.adminOf(o.peerDir()).MSPDir}
		c.Client = c.Creator
		if o.users > 0 {
			c.Client.MSPDir = o.user(o.peerDir()).MSPDir
		}
		return nil
	}
	return errors.New("none of its organizations is in the crypto configuration, so nobody could create it")
}

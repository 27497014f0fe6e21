// Package configfile reads and writes the files that channel configuration
// travels in, between administrators and between tools: blocks, configurations
// and updates, in the bytes that Fabric's peer and configtxlator take and as
// the JSON that configtxlator prints. It does no I/O.
package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-config/protolator"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/channelcfg"
	"raftmig/orderer/protoutil"
)

// Kind is what a file holds.
type Kind string

// The kinds, with the type that configtxlator knows each by.
const (
	Block    Kind = "block"    // common.Block
	Envelope Kind = "envelope" // common.Envelope, such as an update with its signatures
	Update   Kind = "update"   // common.ConfigUpdate
	Config   Kind = "config"   // common.Config
)

// Kinds are all kinds, in the order in which Detect tries them.
var Kinds = []Kind{Block, Envelope, Update, Config}

// ErrUnknown is returned for bytes that are none of the kinds.
var ErrUnknown = errors.New("neither a block nor an envelope, an update or a configuration")

// Detect decodes bytes of an unknown kind: the first kind whose message has
// what belongs there and nothing that does not.
func Detect(data []byte) (Kind, proto.Message, error) {
	for _, kind := range Kinds {
		if m, err := Decode(kind, data); err == nil {
			return kind, m, nil
		}
	}
	return "", nil, ErrUnknown
}

// Decode decodes bytes of a known kind.
func Decode(kind Kind, data []byte) (proto.Message, error) {
	var m proto.Message
	var sound func() bool
	switch kind {
	case Block:
		b := &cb.Block{}
		m, sound = b, func() bool {
			return b.Header != nil && b.Data != nil && bytes.Equal(b.Header.DataHash, protoutil.BlockDataHash(b.Data))
		}
	case Envelope:
		e := &cb.Envelope{}
		m, sound = e, func() bool { h, err := protoutil.ChannelHeader(e); return err == nil && h.ChannelId != "" }
	case Update:
		u := &cb.ConfigUpdate{}
		m, sound = u, func() bool { return u.ChannelId != "" && u.WriteSet != nil }
	case Config:
		c := &cb.Config{}
		m, sound = c, func() bool { return len(c.GetChannelGroup().GetGroups()) > 0 }
	default:
		return nil, fmt.Errorf("unknown kind %q: block, envelope, update or config", kind)
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("no %s: %w", kind, err)
	}
	if !sound() {
		return nil, fmt.Errorf("no %s: what belongs into one is missing", kind)
	}
	return m, nil
}

// DecodeBlock decodes a block.
func DecodeBlock(data []byte) (*cb.Block, error) {
	m, err := Decode(Block, data)
	if err != nil {
		return nil, err
	}
	b, ok := m.(*cb.Block)
	if !ok {
		return nil, ErrUnknown
	}
	return b, nil
}

// JSON is a message as configtxlator prints it, with all that is inside.
func JSON(m proto.Message) ([]byte, error) {
	var out bytes.Buffer
	if err := guarded(func() error { return protolator.DeepMarshalJSON(&out, m) }); err != nil {
		return nil, fmt.Errorf("decoding the content: %w", err)
	}
	return out.Bytes(), nil
}

// Describe prints what a file holds as JSON: all of it, or the configuration
// inside only. kind is "" if it is to be found out.
func Describe(data []byte, kind Kind, config bool) ([]byte, error) {
	if config {
		c, err := ConfigOf(data)
		if err != nil {
			return nil, err
		}
		return JSON(c)
	}
	var m proto.Message
	var err error
	if kind == "" {
		_, m, err = Detect(data)
	} else {
		m, err = Decode(kind, data)
	}
	if err != nil {
		return nil, err
	}
	return JSON(m)
}

// ParseConfig decodes the JSON of a configuration.
func ParseConfig(data []byte) (*cb.Config, error) {
	c := &cb.Config{}
	if err := guarded(func() error { return protolator.DeepUnmarshalJSON(bytes.NewReader(data), c) }); err != nil {
		return nil, fmt.Errorf("reading the JSON of a configuration: %w", err)
	}
	if c.GetChannelGroup() == nil {
		return nil, errors.New("the JSON is no configuration: it has no channel_group")
	}
	return c, nil
}

// guarded makes an error of a panic: protolator panics where JSON has a null, or
// another kind of value than it expects.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its structure is not that of the type: %v", r)
		}
	}()
	return f()
}

// ConfigOf takes the configuration out of a file of any form that holds one: a
// config block, a configuration, or the JSON of a configuration.
func ConfigOf(data []byte) (*cb.Config, error) {
	if looksLikeJSON(data) {
		return ParseConfig(data)
	}
	kind, m, err := Detect(data)
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *cb.Config:
		return m, nil
	case *cb.Block:
		v, err := channelcfg.FromBlock(m)
		if err != nil {
			return nil, err
		}
		return v.Config, nil
	default:
		return nil, fmt.Errorf("it holds an %s, not a configuration", kind)
	}
}

// UpdateOf takes the update and its signatures out of a file: an envelope, or
// the bare update that configtxlator compute_update writes.
func UpdateOf(data []byte) (*channelcfg.Update, error) {
	kind, m, err := Detect(data)
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *cb.Envelope:
		return channelcfg.FromEnvelope(m)
	case *cb.ConfigUpdate:
		return &channelcfg.Update{Channel: m.ChannelId, Bytes: data}, nil
	default:
		return nil, fmt.Errorf("it holds a %s, not an update", kind)
	}
}

// EditedUpdate computes the update that makes the configuration of v into the
// one in edited, in any form that ConfigOf takes.
func EditedUpdate(v *channelcfg.View, edited []byte) (*channelcfg.Update, error) {
	next, err := ConfigOf(edited)
	if err != nil {
		return nil, fmt.Errorf("the edited configuration: %w", err)
	}
	asDecoded := v.Config
	if looksLikeJSON(edited) {
		text, err := JSON(v.Config)
		if err != nil {
			return nil, err
		}
		if asDecoded, err = ParseConfig(text); err != nil {
			return nil, err
		}
	}
	return channelcfg.BuildEdited(v, asDecoded, next)
}

func looksLikeJSON(data []byte) bool {
	return strings.HasPrefix(strings.TrimSpace(string(data[:min(len(data), 64)])), "{")
}

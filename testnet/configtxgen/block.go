package configtxgen

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/golang/protobuf/ptypes/timestamp"
	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
)

var channelIDPattern = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)

// CheckChannelID returns an error for a name that no channel may have (spec 7.1).
func CheckChannelID(id string) error {
	switch {
	case id == "":
		return errors.New("bad channel ID: it is empty")
	case len(id) > 249:
		return errors.New("bad channel ID: it is longer than 249 characters")
	case !channelIDPattern.MatchString(id):
		return fmt.Errorf("bad channel ID: '%s' contains illegal characters", id)
	}
	return nil
}

func acceptAllPolicy() *cb.ConfigPolicy {
	return &cb.ConfigPolicy{Policy: policydsl.SignaturePolicy(policydsl.AcceptAll()), ModPolicy: ordererAdmins}
}

// GenesisBlock makes block 0 of a system channel (a profile with Orderer and
// Consortiums) or of an application channel without one (Orderer and Application).
func GenesisBlock(p *Profile, channelID string, o Options) (*cb.Block, error) {
	if err := CheckChannelID(channelID); err != nil {
		return nil, err
	}
	if p.Orderer == nil {
		return nil, errors.New("refusing to generate block which is missing orderer section")
	}
	if p.Consortiums == nil && p.Application == nil {
		return nil, errors.New("refusing to generate application channel block which is missing application section")
	}
	for _, org := range allOrganizations(p) {
		if org.SkipAsForeign {
			return nil, fmt.Errorf("all org definitions must be local during bootstrapping: organization '%s' is marked to be skipped as foreign", org.Name)
		}
	}
	e := newEncoder(o)
	group, err := e.channel(p)
	if err != nil {
		return nil, err
	}
	return e.genesisBlock(group, channelID)
}

// GenesisBlockOf makes block 0 of a channel with a configuration that exists
// already, such as that of another network. Its versions should be 0.
func GenesisBlockOf(group *cb.ConfigGroup, channelID string, o Options) (*cb.Block, error) {
	if err := CheckChannelID(channelID); err != nil {
		return nil, err
	}
	return newEncoder(o).genesisBlock(group, channelID)
}

func (e *encoder) genesisBlock(group *cb.ConfigGroup, channelID string) (*cb.Block, error) {
	nonce := make([]byte, 24)
	if _, err := io.ReadFull(e.Rand, nonce); err != nil {
		return nil, fmt.Errorf("making a nonce: %w", err)
	}
	env, err := unsigned(cb.HeaderType_CONFIG, channelID, nonce, e.Now().Unix(), &cb.ConfigEnvelope{Config: &cb.Config{ChannelGroup: group}})
	if err != nil {
		return nil, err
	}
	raw, err := protoutil.Marshal(env)
	if err != nil {
		return nil, err
	}
	block := protoutil.NewBlock(0, nil)
	block.Data = &cb.BlockData{Data: [][]byte{raw}}
	block.Header.DataHash = protoutil.BlockDataHash(block.Data)
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_SIGNATURES, protoutil.MustMarshal(&cb.Metadata{
		Value: protoutil.MustMarshal(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{}}),
	}))
	protoutil.SetMetadata(block, cb.BlockMetadataIndex_LAST_CONFIG, protoutil.MustMarshal(&cb.Metadata{
		Value: protoutil.MustMarshal(&cb.LastConfig{}),
	}))
	return block, nil
}

func allOrganizations(p *Profile) []*Organization {
	var all []*Organization
	if p.Orderer != nil {
		all = append(all, p.Orderer.Organizations...)
	}
	if p.Application != nil {
		all = append(all, p.Application.Organizations...)
	}
	for _, c := range p.Consortiums {
		all = append(all, c.Organizations...)
	}
	return all
}

// unsigned makes an envelope without signature. With a nonce it has the
// transaction ID that goes with it; without, neither.
func unsigned(kind cb.HeaderType, channelID string, nonce []byte, seconds int64, data protoMessage) (*cb.Envelope, error) {
	ch := &cb.ChannelHeader{Type: int32(kind), ChannelId: channelID, Timestamp: &timestamp.Timestamp{Seconds: seconds}}
	if kind == cb.HeaderType_CONFIG {
		ch.Version = 1
	}
	if nonce != nil {
		ch.TxId = protoutil.TxID(nonce, nil)
	}
	body, err := protoutil.Marshal(data)
	if err != nil {
		return nil, err
	}
	payload, err := protoutil.Marshal(&cb.Payload{
		Header: &cb.Header{
			ChannelHeader:   protoutil.MustMarshal(ch),
			SignatureHeader: protoutil.MustMarshal(&cb.SignatureHeader{Nonce: nonce}),
		},
		Data: body,
	})
	if err != nil {
		return nil, err
	}
	return &cb.Envelope{Payload: payload}, nil
}

package channelcfg

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/golang/protobuf/proto"
	fc "github.com/hyperledger/fabric-config/configtx"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Goal is what an update is to bring about on one channel.
type Goal struct {
	Change runbook.Change
	// Metadata is the marshalled etcdraft.ConfigMetadata that the channel is to
	// have, of the changes that set it.
	Metadata []byte
	// Endpoint is the host:port that joins or leaves the channel's orderer
	// endpoints; "" for none.
	Endpoint string
	// Consenter is the host:port in the consenter set of the node whose endpoint joins.
	Consenter string
}

// GoalOf is what an effect of kind SubmitUpdate is to bring about.
func GoalOf(e runbook.Effect) Goal {
	g := Goal{Change: e.Change, Metadata: e.Metadata, Endpoint: e.Endpoint}
	if e.Operation != nil {
		g.Consenter = e.Operation.Consenter
	}
	return g
}

// InForce reports whether the goal is reached in a configuration.
func (g Goal) InForce(v *View) bool {
	if !g.Change.OnRaft() {
		return InForce(v, g.Change, g.Metadata)
	}
	if v.Type() != channelconfig.ConsensusEtcdRaft || !bytes.Equal(v.Consensus.Metadata, g.Metadata) {
		return false
	}
	switch {
	case g.Endpoint == "":
		return true
	case g.Change == runbook.ChangeAddEndpoint:
		return slices.Contains(v.Endpoints(), g.Endpoint)
	case g.Change == runbook.ChangeRemoveConsenter:
		return !slices.Contains(v.Endpoints(), g.Endpoint)
	default:
		return true
	}
}

// Build computes the update that brings the goal about from v; ErrInForce says
// that v has reached it.
func (g Goal) Build(v *View) (*Update, error) {
	if !g.Change.OnRaft() {
		return Build(v, g.Change, g.Metadata)
	}
	if g.InForce(v) {
		return nil, ErrInForce
	}
	switch {
	case v.Type() != channelconfig.ConsensusEtcdRaft:
		return nil, fmt.Errorf("%w: the consensus type is %s, not etcdraft", ErrNotNow, v.Type())
	case v.Consensus.State != ab.ConsensusType_STATE_NORMAL:
		return nil, fmt.Errorf("%w: it is in %s", ErrNotNow, v.State())
	case len(g.Metadata) == 0:
		return nil, errors.New("the update needs consenter metadata")
	}
	tx := fc.New(v.Config)
	root := tx.UpdatedConfig().GetChannelGroup()
	value, ok := consensusValue(tx.UpdatedConfig())
	if !ok {
		return nil, errNoOrderer
	}
	next, ok := proto.Clone(v.Consensus).(*ab.ConsensusType)
	if !ok {
		return nil, errNoOrderer
	}
	next.Metadata = g.Metadata
	var err error
	if !bytes.Equal(v.Consensus.Metadata, g.Metadata) { // untouched values keep their bytes
		if value.Value, err = protoutil.Marshal(next); err != nil {
			return nil, fmt.Errorf("encoding ConsensusType: %w", err)
		}
	}
	if err := g.editEndpoints(v, root); err != nil {
		return nil, fmt.Errorf("channel %s: %w", v.Channel, err)
	}
	b, err := tx.ComputeMarshaledUpdate(v.Channel)
	if err != nil {
		return nil, fmt.Errorf("channel %s: computing the update: %w", v.Channel, err)
	}
	return &Update{Channel: v.Channel, Change: g.Change, Base: v.Sequence(), Bytes: b}, nil
}

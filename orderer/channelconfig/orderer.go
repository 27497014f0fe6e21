package channelconfig

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/capabilities"
)

// ordererConfig is the Orderer group. It is built once and never changed.
type ordererConfig struct {
	consensus    ab.ConsensusType
	batchSize    ab.BatchSize
	timeout      ab.BatchTimeout
	batchTimeout time.Duration
	brokers      ab.KafkaBrokers
	restrictions ab.ChannelRestrictions
	capabilities *capabilities.Orderer
	orgs         map[string]OrdererOrg
}

func newOrdererConfig(group *cb.ConfigGroup, msps *mspSet, channelCaps ChannelCapabilities) (*ordererConfig, error) {
	o := &ordererConfig{orgs: map[string]OrdererOrg{}}
	caps := &cb.Capabilities{}
	err := decodeValues(group, map[string]proto.Message{
		ConsensusTypeKey:       &o.consensus,
		BatchSizeKey:           &o.batchSize,
		BatchTimeoutKey:        &o.timeout,
		KafkaBrokersKey:        &o.brokers,
		ChannelRestrictionsKey: &o.restrictions,
		CapabilitiesKey:        caps,
	})
	if err != nil {
		return nil, err
	}
	o.capabilities = capabilities.NewOrderer(caps)
	for _, check := range []func() error{o.checkBatchSize, o.checkBatchTimeout, o.checkBrokers} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	for _, name := range sortedKeys(group.GetGroups()) {
		one, err := newOrdererOrg(name, group.Groups[name], msps, channelCaps)
		if err != nil {
			return nil, err
		}
		o.orgs[name] = one
	}
	return o, nil
}

func (o *ordererConfig) checkBatchSize() error {
	b := &o.batchSize
	switch {
	case b.MaxMessageCount == 0:
		return errors.New("Attempted to set the batch size max message count to an invalid value: 0")
	case b.AbsoluteMaxBytes == 0:
		return errors.New("Attempted to set the batch size absolute max bytes to an invalid value: 0")
	case b.PreferredMaxBytes == 0:
		return errors.New("Attempted to set the batch size preferred max bytes to an invalid value: 0")
	case b.PreferredMaxBytes > b.AbsoluteMaxBytes:
		return fmt.Errorf("Attempted to set the batch size preferred max bytes (%v) greater than the absolute max bytes (%v).", b.PreferredMaxBytes, b.AbsoluteMaxBytes)
	}
	return nil
}

func (o *ordererConfig) checkBatchTimeout() error {
	var err error
	if o.batchTimeout, err = time.ParseDuration(o.timeout.Timeout); err != nil {
		return fmt.Errorf("Attempted to set the batch timeout to a invalid value: %w", err)
	}
	if o.batchTimeout <= 0 {
		return fmt.Errorf("Attempted to set the batch timeout to a non-positive value: %s", o.batchTimeout)
	}
	return nil
}

func (o *ordererConfig) checkBrokers() error {
	for _, broker := range o.brokers.Brokers {
		if !looksLikeBroker(broker) {
			return fmt.Errorf("Invalid broker entry: %s", broker)
		}
	}
	return nil
}

// looksLikeBroker accepts host:port with a host of letters, digits, dots and
// hyphens that neither begins nor ends with a dot or hyphen. The host may be
// empty, as in Fabric.
func looksLikeBroker(broker string) bool {
	host, port, ok := strings.Cut(broker, ":")
	if !ok {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	for i, c := range []byte(host) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (c != '.' && c != '-' || i == 0 || i == len(host)-1) {
			return false
		}
	}
	return true
}

func (o *ordererConfig) ConsensusType() string { return o.consensus.Type }

func (o *ordererConfig) ConsensusMetadata() []byte { return o.consensus.Metadata }

func (o *ordererConfig) ConsensusState() ab.ConsensusType_State { return o.consensus.State }

func (o *ordererConfig) BatchSize() *ab.BatchSize { return &o.batchSize }

func (o *ordererConfig) BatchTimeout() time.Duration { return o.batchTimeout }

func (o *ordererConfig) MaxChannelsCount() uint64 { return o.restrictions.MaxCount }

func (o *ordererConfig) KafkaBrokers() []string { return o.brokers.Brokers }

func (o *ordererConfig) Organizations() map[string]OrdererOrg { return o.orgs }

func (o *ordererConfig) Capabilities() OrdererCapabilities { return o.capabilities }

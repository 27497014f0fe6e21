package msgprocessor

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// Rule accepts a message (nil) or says why it may not be ordered. All rules of
// one message see the same configuration.
type Rule interface {
	Apply(config channelconfig.Resources, msg *protoutil.Message) error
}

// RuleSet applies rules in their order; the first error counts.
type RuleSet []Rule

// Apply returns the error of the first rule that refuses msg.
func (s RuleSet) Apply(config channelconfig.Resources, msg *protoutil.Message) error {
	for _, r := range s {
		if err := r.Apply(config, msg); err != nil {
			return err
		}
	}
	return nil
}

// ordererConfig returns the Orderer group of config; a channel without one
// cannot be serviced.
func ordererConfig(config channelconfig.Resources) (channelconfig.Orderer, error) {
	o, ok := config.OrdererConfig()
	if !ok {
		return nil, errors.New("missing orderer config")
	}
	return o, nil
}

// EmptyRejectRule refuses messages without payload.
type EmptyRejectRule struct{}

// Apply implements Rule.
func (EmptyRejectRule) Apply(_ channelconfig.Resources, msg *protoutil.Message) error {
	if len(msg.GetPayload()) == 0 {
		return errors.New("Message was empty") //nolint:staticcheck // Fabric's text
	}
	return nil
}

// SizeFilter refuses messages larger than the channel's AbsoluteMaxBytes.
type SizeFilter struct{}

// Apply implements Rule.
func (SizeFilter) Apply(config channelconfig.Resources, msg *protoutil.Message) error {
	o, err := ordererConfig(config)
	if err != nil {
		return err
	}
	if size, limit := msg.Size(), o.BatchSize().GetAbsoluteMaxBytes(); size > limit {
		return fmt.Errorf("message payload is %d bytes and exceeds maximum allowed %d bytes", size, limit)
	}
	return nil
}

// ExpirationFilter refuses messages of identities whose certificate has
// expired, if the channel's capabilities ask for it (spec 6.3).
type ExpirationFilter struct {
	// Now is the clock.
	Now func() time.Time
}

// Apply implements Rule.
func (f ExpirationFilter) Apply(config channelconfig.Resources, msg *protoutil.Message) error {
	o, err := ordererConfig(config)
	if err != nil {
		return err
	}
	if !o.Capabilities().ExpirationCheck() {
		return nil
	}
	signed, err := msg.SignedData()
	if err != nil {
		return fmt.Errorf("could not convert message to signedData: %w", err)
	}
	if at := expiresAt(config, signed[0].Identity); at.IsZero() || f.Now().Before(at) {
		return nil
	}
	return errors.New("broadcast client identity expired")
}

// expiresAt is ExpiresAt by way of the channel's MSPs, which remember the
// identities that they have decoded.
func expiresAt(config channelconfig.Resources, identity []byte) time.Time {
	if id, err := config.MSPManager().DeserializeIdentity(identity); err == nil {
		return id.ExpiresAt()
	}
	return ExpiresAt(identity)
}

// ExpiresAt returns the NotAfter of a serialized identity's certificate, or
// zero if it cannot be decoded: such an identity counts as not expiring (spec 6.3).
func ExpiresAt(identity []byte) time.Time {
	var s mspproto.SerializedIdentity
	if err := proto.Unmarshal(identity, &s); err != nil {
		return time.Time{}
	}
	block, _ := pem.Decode(s.IdBytes)
	if block == nil {
		return time.Time{}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
}

// header returns the channel header of an envelope's payload.
func header(p *cb.Payload) (*cb.ChannelHeader, error) {
	return protoutil.UnmarshalChannelHeader(p.GetHeader().GetChannelHeader())
}

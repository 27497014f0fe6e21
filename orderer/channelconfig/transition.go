package channelconfig

import (
	"errors"
	"fmt"
)

// ValidateNew returns an error if next may not follow this configuration:
// groups may not disappear, Consortiums may not appear, the consensus type may
// change with the capability only, an organization keeps its MSP ID (spec 7.2).
func (b *Bundle) ValidateNew(next Resources) error {
	if err := b.validateNewOrderer(next); err != nil {
		return err
	}
	if err := b.validateNewApplication(next); err != nil {
		return err
	}
	return b.validateNewConsortiums(next)
}

func (b *Bundle) validateNewOrderer(next Resources) error {
	current, ok := b.OrdererConfig()
	if !ok {
		return nil
	}
	updated, ok := next.OrdererConfig()
	if !ok {
		return errors.New("current config has orderer section, but new config does not")
	}
	if current.ConsensusType() != updated.ConsensusType() && !b.channel.capabilities.ConsensusTypeMigration() {
		return fmt.Errorf("attempted to change consensus type from %s to %s", current.ConsensusType(), updated.ConsensusType())
	}
	return sameMSPs("orderer org ", current.Organizations(), updated.Organizations())
}

func (b *Bundle) validateNewApplication(next Resources) error {
	current, ok := b.ApplicationConfig()
	if !ok {
		return nil
	}
	updated, ok := next.ApplicationConfig()
	if !ok {
		return errors.New("current config has application section, but new config does not")
	}
	return sameMSPs("application org ", current.Organizations(), updated.Organizations())
}

func (b *Bundle) validateNewConsortiums(next Resources) error {
	current, had := b.ConsortiumsConfig()
	updated, has := next.ConsortiumsConfig()
	switch {
	case had && !has:
		return errors.New("current config has consortiums section, but new config does not")
	case !had && has:
		return errors.New("current config has no consortiums section, but new config does")
	case !had:
		return nil
	}
	for _, name := range sortedKeys(current.Consortiums()) {
		next, ok := updated.Consortiums()[name]
		if !ok {
			continue
		}
		if err := sameMSPs("consortium "+name+" org ", current.Consortiums()[name].Organizations(), next.Organizations()); err != nil {
			return err
		}
	}
	return nil
}

// sameMSPs compares the organizations that are in both configurations.
func sameMSPs[O Org](what string, current, updated map[string]O) error {
	for _, name := range sortedKeys(current) {
		next, ok := updated[name]
		if ok && next.MSPID() != current[name].MSPID() {
			return fmt.Errorf("%s%s attempted to change MSP ID from %s to %s", what, name, current[name].MSPID(), next.MSPID())
		}
	}
	return nil
}

package configtxgen

import (
	"fmt"
	"io"

	"github.com/hyperledger/fabric-config/protolator"
	"github.com/hyperledger/fabric-config/protolator/protoext/ordererext"

	"raftmig/orderer/protoutil"
)

// InspectBlock writes the block in data as JSON, with all that is inside.
func InspectBlock(w io.Writer, data []byte) error {
	block, err := protoutil.UnmarshalBlock(data)
	if err != nil {
		return fmt.Errorf("error unmarshalling to block: %w", err)
	}
	if err := protolator.DeepMarshalJSON(w, block); err != nil {
		return fmt.Errorf("malformed block contents: %w", err)
	}
	return nil
}

// InspectTx writes the channel-create transaction in data as JSON.
func InspectTx(w io.Writer, data []byte) error {
	env, err := protoutil.UnmarshalEnvelope(data)
	if err != nil {
		return fmt.Errorf("error unmarshalling envelope: %w", err)
	}
	if err := protolator.DeepMarshalJSON(w, env); err != nil {
		return fmt.Errorf("malformed transaction contents: %w", err)
	}
	return nil
}

// PrintOrg writes the definition of an organization as JSON, in the form that
// a config update adds it to a channel.
func PrintOrg(w io.Writer, org *Organization, o Options) error {
	g, err := OrgGroup(org, o)
	if err != nil {
		return fmt.Errorf("bad org definition for org %s: %w", org.Name, err)
	}
	if err := protolator.DeepMarshalJSON(w, &ordererext.DynamicOrdererOrgGroup{ConfigGroup: g}); err != nil {
		return fmt.Errorf("malformed org definition for org %s: %w", org.Name, err)
	}
	return nil
}

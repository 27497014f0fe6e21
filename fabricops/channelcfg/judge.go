package channelcfg

import (
	"fmt"
	"sort"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
)

// Judge asks v's configuration about an update as an orderer does: whether it
// fits the versions and whether its signatures satisfy the policies. The error
// is Fabric's text; nil if the update would be accepted. missing are the MSP
// IDs of the orderer organizations of whom no administrator has signed, sorted;
// how many of them the policy asks for is in the text.
func Judge(v *View, u *Update) (missing []string, err error) {
	bundle, err := channelconfig.NewBundle(v.Channel, v.Config)
	if err != nil {
		return nil, err
	}
	env, err := u.Export()
	if err != nil {
		return nil, err
	}
	if _, err = bundle.ConfigtxValidator().ProposeConfigUpdate(env); err == nil {
		return nil, nil
	}
	signed, signedErr := protoutil.ConfigUpdateAsSignedData(&cb.ConfigUpdateEnvelope{ConfigUpdate: u.Bytes, Signatures: u.Signatures})
	ord, ok := bundle.OrdererConfig()
	if signedErr != nil || !ok {
		return nil, err
	}
	for _, org := range ord.Organizations() {
		policy, ok := bundle.PolicyManager().GetPolicy(fmt.Sprintf("/Channel/Orderer/%s/Admins", org.Name()))
		if ok && policy.EvaluateSignedData(signed) != nil {
			missing = append(missing, org.MSPID())
		}
	}
	sort.Strings(missing)
	return missing, err
}

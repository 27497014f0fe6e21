package facts

import (
	"fmt"
	"sort"
	"strings"

	"raftmig/fabricops/identity"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/msp"
	"raftmig/orderer/policies"
)

// judgeAdmins returns why the administrators together do not satisfy
// /Channel/Orderer/Admins, "" if they do. An identity that the channel does not
// know is no fault if the others suffice: orderers pass over its signature.
func (g *Gatherer) judgeAdmins(bundle *channelconfig.Bundle) string {
	var ids []msp.Identity
	var strange []string
	for _, a := range g.Admins {
		id, reason := known(bundle, a)
		if reason != "" {
			strange = append(strange, reason)
			continue
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return strings.Join(strange, "; ")
	}
	reason := evaluate(bundle, policies.ChannelOrdererAdmins, ids)
	if reason != "" {
		return strings.Join(append([]string{reason}, strange...), "; ")
	}
	return ""
}

// judgeWriter returns why the administrator who sends the updates does not
// satisfy /Channel/Orderer/Writers, "" if it does.
func (g *Gatherer) judgeWriter(bundle *channelconfig.Bundle) string {
	id, reason := known(bundle, g.Admins[0])
	if reason != "" {
		return reason
	}
	return evaluate(bundle, policies.ChannelOrdererWriters, []msp.Identity{id})
}

// missing lists the MSP IDs of the orderer organizations whose own Admins
// policy no administrator at hand satisfies, sorted.
func (g *Gatherer) missing(bundle *channelconfig.Bundle, ord channelconfig.Orderer) []string {
	var ids []msp.Identity
	for _, a := range g.Admins {
		if id, reason := known(bundle, a); reason == "" {
			ids = append(ids, id)
		}
	}
	var out []string
	for _, org := range ord.Organizations() {
		if evaluate(bundle, fmt.Sprintf("/Channel/Orderer/%s/Admins", org.Name()), ids) != "" {
			out = append(out, org.MSPID())
		}
	}
	sort.Strings(out)
	return out
}

// known returns an administrator as the channel knows it, or why it does not.
func known(bundle *channelconfig.Bundle, admin *identity.Identity) (msp.Identity, string) {
	serialized, err := admin.Serialize()
	if err != nil {
		return nil, err.Error()
	}
	id, err := bundle.MSPManager().DeserializeIdentity(serialized)
	if err != nil {
		return nil, fmt.Sprintf("%s is no organization of this channel: %v", admin.MSPID(), err)
	}
	if err := id.Validate(); err != nil {
		return nil, fmt.Sprintf("the channel does not accept the certificate of %s: %v", admin.Cert.Subject, err)
	}
	return id, ""
}

func evaluate(bundle *channelconfig.Bundle, path string, ids []msp.Identity) string {
	policy, ok := bundle.PolicyManager().GetPolicy(path)
	if !ok {
		return "the channel has no policy " + path
	}
	if err := policy.EvaluateIdentities(ids); err != nil {
		return err.Error()
	}
	return ""
}

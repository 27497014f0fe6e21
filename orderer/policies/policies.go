package policies

import (
	"raftmig/orderer/msp"
	"raftmig/orderer/protoutil"
)

// Paths of the policies that the orderer itself evaluates.
const (
	ChannelReaders         = "/Channel/Readers"
	ChannelWriters         = "/Channel/Writers"
	ChannelOrdererReaders  = "/Channel/Orderer/Readers"
	ChannelOrdererWriters  = "/Channel/Orderer/Writers"
	ChannelOrdererAdmins   = "/Channel/Orderer/Admins"
	BlockValidation        = "/Channel/Orderer/BlockValidation"
	ChannelApplicationAdms = "/Channel/Application/Admins"
)

// Policy decides whether a set of signatures suffices.
type Policy interface {
	// EvaluateSignedData verifies the signatures and evaluates the policy over
	// those that are valid; equal identities count once.
	EvaluateSignedData(signatures []*protoutil.SignedData) error
	// EvaluateIdentities evaluates the policy over identities that are already
	// known to have signed.
	EvaluateIdentities(identities []msp.Identity) error
}

// Manager finds policies by path.
type Manager interface {
	// GetPolicy returns the policy of that name: absolute ("/Channel/Orderer/Admins")
	// or relative to the manager. If there is none it returns false and a
	// policy that rejects everything.
	GetPolicy(path string) (Policy, bool)
	// Manager returns the manager of a sub-group, path given as names below this one.
	Manager(path []string) (Manager, bool)
}

package runbook

import (
	"fmt"
	"slices"
)

// Operation is what a run changes on a network that is on Raft. A plan without
// one is a migration.
type Operation struct {
	Kind OperationKind `json:"kind"`
	// Node is the consenter that is added, removed or given new certificates: its
	// name in raftmig.yaml. A consenter that is not there any more, and is to be
	// removed, has its Consenter for a name.
	Node string `json:"node,omitempty"`
	// Consenter is the host:port under which the other consenters reach it.
	Consenter string `json:"consenter,omitempty"`
	// Endpoint is the host:port under which clients reach it: it joins or leaves
	// the orderer endpoints of every channel; "" leaves them alone.
	Endpoint string `json:"endpoint,omitempty"`
	// Options are the new Raft options; zero fields stay as they are.
	Options *RaftOptions `json:"options,omitempty"`
	// Files are the node's new certificates and keys.
	Files *CertificateFiles `json:"files,omitempty"`
	// ByHand says that people put onto the node what it needs (the block that it
	// begins with, its new certificates); the run waits for them.
	ByHand bool `json:"by_hand,omitempty"`
}

// OperationKind is one of the operations on Raft.
type OperationKind string

// The operations.
const (
	AddConsenter       OperationKind = "consenter-add"
	RemoveConsenter    OperationKind = "consenter-remove"
	RotateCertificates OperationKind = "consenter-rotate-tls"
	SetOptions         OperationKind = "options-set"
)

// CertificateFiles are PEM files as seen from where the run is driven. A node
// that uses one certificate for both purposes has the same files twice.
type CertificateFiles struct {
	ServerCert string `json:"server_cert"`
	ServerKey  string `json:"server_key"`
	ClientCert string `json:"client_cert"`
	ClientKey  string `json:"client_key"`
}

// Change is the update that the operation makes on every channel; one that adds
// a consenter makes ChangeAddEndpoint after it.
func (o Operation) Change() Change {
	switch o.Kind {
	case AddConsenter:
		return ChangeAddConsenter
	case RemoveConsenter:
		return ChangeRemoveConsenter
	case RotateCertificates:
		return ChangeRotateCertificates
	default:
		return ChangeSetOptions
	}
}

// String says what the operation does, in a few words.
func (o Operation) String() string {
	switch o.Kind {
	case AddConsenter:
		return "add consenter " + o.Node
	case RemoveConsenter:
		return "remove consenter " + o.Node
	case RotateCertificates:
		return "new TLS certificates for consenter " + o.Node
	default:
		return "set Raft options"
	}
}

// validate says what is wrong with the operation of a plan.
func (o Operation) validate(p Plan) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrUnexpected}, args...)...)
	}
	switch o.Kind {
	case AddConsenter, RemoveConsenter, RotateCertificates:
		if o.Node == "" || o.Consenter == "" {
			return bad("the plan names no consenter to %s", o.Kind)
		}
		if o.Kind != RemoveConsenter && !slices.Contains(p.Orderers, o.Node) {
			return bad("the plan does not have the orderer %q", o.Node)
		}
		if o.Kind == RotateCertificates && o.Files == nil {
			return bad("the plan names no new certificates for %s", o.Node)
		}
	case SetOptions:
		if o.Options == nil || *o.Options == (RaftOptions{}) {
			return bad("the plan sets no option")
		}
	default:
		return bad("unknown operation %q", o.Kind)
	}
	switch {
	case p.AbortAfter != "":
		return bad("an operation on Raft has no phase to go back after")
	case o.ByHand && p.Unattended:
		return bad("an unattended run cannot wait for what people put onto %s", o.Node)
	}
	return nil
}

func cloneOperation(o Operation) Operation {
	o.Options = clonePtr(o.Options, func(r RaftOptions) RaftOptions { return r })
	o.Files = clonePtr(o.Files, func(f CertificateFiles) CertificateFiles { return f })
	return o
}

package runbooktest

import (
	"slices"

	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// exported is an update that lies to be signed: good for one configuration.
type exported struct {
	change   runbook.Change
	sequence uint64
	signed   bool
}

// RequireSignatures has the channels refuse updates that nobody elsewhere has
// signed; see Sign. The plan of the run must say so too.
func (n *Network) RequireSignatures() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.exported = map[string]*exported{}
}

// Sign signs what lies there of the channels named, all if none is.
func (n *Network) Sign(channels ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, x := range n.exported {
		if len(channels) == 0 || slices.Contains(channels, name) {
			x.signed = true
		}
	}
}

// collect exports what has not been exported for the configuration in force.
func (n *Network) collect(e runbook.Effect) runbook.Evidence {
	ev := runbook.Evidence{Summary: "signatures looked for"}
	for _, name := range e.Channels {
		ev.Signatures = append(ev.Signatures, n.look(name, e))
	}
	return ev
}

func (n *Network) look(name string, e runbook.Effect) runbook.SignatureState {
	change := e.Change
	s := runbook.SignatureState{Channel: name, Change: change}
	c := n.channels[name]
	if c == nil || n.exported == nil || n.reached(c, e) {
		return s
	}
	s.Sequence = c.last().sequence
	x := n.exported[name]
	if x == nil || x.change != change || x.sequence != s.Sequence {
		s.Renewed = x != nil && x.change == change
		x = &exported{change: change, sequence: s.Sequence}
		n.exported[name] = x
	}
	if s.SignedBy = []string{"Org1MSP"}; x.signed {
		s.SignedBy = append(s.SignedBy, "Org2MSP")
		return s
	}
	s.File = "signatures/" + name + "." + string(change) + ".tx"
	s.Missing, s.Why = []string{"Org2MSP"}, "1 sub-policies were satisfied, but this policy requires 2 of the 'Admins' sub-policies"
	return s
}

// reached reports whether a change is in force on a channel.
func (n *Network) reached(c *channel, e runbook.Effect) bool {
	if e.Change.OnRaft() {
		b := n.updated(c, e)
		return b.meta == c.last().meta && b.endpoints == c.last().endpoints
	}
	switch b := c.last(); e.Change {
	case runbook.ChangeEnterMaintenance:
		return b.state == runbook.StateMaintenance
	case runbook.ChangeSwitchType:
		return b.typ == runbook.TypeRaft
	default:
		return b.state == runbook.StateNormal
	}
}

// unsigned refuses an update that has not been signed elsewhere.
func (n *Network) unsigned(e runbook.Effect) (runbook.Evidence, error) {
	s := n.look(e.Channel, e)
	if s.Why == "" {
		return runbook.Evidence{}, nil
	}
	ev := runbook.Evidence{Summary: "signatures are missing", Signatures: []runbook.SignatureState{s}}
	return ev, runbook.JudgeSignatures(ev.Signatures)
}

// handleSign has administrators elsewhere sign.
func (env *Env) handleSign(d *datadriven.TestData) error {
	env.Net.Sign(list(d, "channels")...)
	return nil
}

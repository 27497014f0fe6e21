package runbooktest

import (
	"github.com/cockroachdb/datadriven"

	"raftmig/runbook"
)

// handleRun begins a run on the network.
func (env *Env) handleRun(d *datadriven.TestData) error {
	p := env.Net.Plan()
	p.Unattended = d.HasArg("unattended")
	if d.HasArg("await-signatures") {
		p.AwaitSignatures = true
		env.Net.RequireSignatures()
	}
	p.AbortAfter = runbook.Phase(argument(d, "abort-after", ""))
	p.IgnoreChecks = list(d, "ignore")
	if kind := argument(d, "operation", ""); kind != "" {
		o := &runbook.Operation{Kind: runbook.OperationKind(kind), Options: &runbook.RaftOptions{ElectionTick: 20}, Files: &runbook.CertificateFiles{}}
		if node := argument(d, "node", ""); node != "" {
			o.Node, o.Consenter, o.Endpoint = node, Endpoint(node), Endpoint(node)
		}
		p.Operation = o
	}
	env.shown, env.last = 0, map[runbook.StepID]string{}
	r, err := NewRun(env.Net, p)
	env.Run = r
	return err
}

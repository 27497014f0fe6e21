package runner

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/internal/fakenet"
	"raftmig/runbook"
	"raftmig/runbook/driver"
	"raftmig/runbook/journal"
	"raftmig/runbook/runbooktest"
)

// cut is an operator whose driver is ended in its first effect.
type cut struct {
	*runbooktest.Network
	end func()
}

func (c cut) Perform(ctx context.Context, e runbook.Effect, progress func(runbook.Progress)) (runbook.Evidence, error) {
	c.end()
	return c.Network.Perform(ctx, e, progress)
}

// Whoever attaches to a run that is over is not sent to resume it: that would
// begin another one.
func TestAttachingToARunThatIsNotDrivenSaysWhatToDo(t *testing.T) {
	f := Folder(t.TempDir())
	_, err := Attach(t.Context(), f, net)
	require.ErrorIs(t, err, ErrNoRun)

	n := runbooktest.New(runbooktest.Options{})
	hint := func(ctx context.Context, op runbook.Operator, plan runbook.Plan) string {
		name, err := f.newRun(time.Now())
		require.NoError(t, err)
		j, _, err := journal.Open(f.journal(name))
		require.NoError(t, err)
		d, err := driver.New(driver.Options{Operator: op, Journal: j, Plan: plan})
		require.NoError(t, err)
		_, err = d.Run(ctx)
		require.Equal(t, ctx.Err() != nil, err != nil, "%v", err)
		require.NoError(t, j.Close())
		_, err = Attach(t.Context(), f, net)
		var p *runbook.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, f.RunDir(name), p.Where)
		return p.What + "; " + p.Hint
	}
	plan := n.Plan()
	plan.Unattended, plan.AbortAfter = true, runbook.PhaseMaintenance
	text := hint(t.Context(), n, plan)
	require.Contains(t, text, "the last run has ended: rolled-back")
	require.Contains(t, text, "raftmig report --network net/raftmig.yaml")
	require.NotContains(t, text, "--resume")

	ctx, kill := context.WithCancel(t.Context())
	text = hint(ctx, cut{n, kill}, n.Plan())
	require.Contains(t, text, "the last run is not being driven")
	require.Contains(t, text, "raftmig run --resume --network net/raftmig.yaml; look at it: raftmig status --network net/raftmig.yaml")

	_, err = Open(Options{Network: fakenet.New(t, 3).Inventory(), Folder: f, Arguments: net})
	require.ErrorContains(t, err, ErrUnfinished.Error())
	var p *runbook.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "go on with it: raftmig run --resume --network net/raftmig.yaml; or take the network back to Kafka first: raftmig abort --network net/raftmig.yaml", p.Hint)
}

// net names the network in the commands of hints.
const net Arguments = " --network net/raftmig.yaml"

package runbook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"raftmig/runbook"
	"raftmig/runbook/runbooktest"
)

// operations are the operations on a network of three consenters, orderer3
// being a spare node.
func operations() map[string]runbook.Operation {
	return map[string]runbook.Operation{
		"add":     {Kind: runbook.AddConsenter, Node: "orderer3", Consenter: runbooktest.Endpoint("orderer3"), Endpoint: runbooktest.Endpoint("orderer3")},
		"remove":  {Kind: runbook.RemoveConsenter, Node: "orderer2", Consenter: runbooktest.Endpoint("orderer2"), Endpoint: runbooktest.Endpoint("orderer2")},
		"rotate":  {Kind: runbook.RotateCertificates, Node: "orderer1", Consenter: runbooktest.Endpoint("orderer1"), Files: &runbook.CertificateFiles{}},
		"options": {Kind: runbook.SetOptions, Options: &runbook.RaftOptions{ElectionTick: 20}},
	}
}

func raftNetwork(consenters int) *runbooktest.Network {
	return runbooktest.New(runbooktest.Options{Raft: true, Orderers: consenters, Spare: 4 - consenters, Channels: []string{"ch1", "ch2"}})
}

// operate starts an operation.
func operate(t require.TestingT, n *runbooktest.Network, o runbook.Operation, change func(*runbook.Plan)) *runbooktest.Run {
	p := n.Plan()
	p.Operation = &o
	if change != nil {
		change(&p)
	}
	r, err := runbooktest.NewRun(n, p)
	require.NoError(t, err)
	return r
}

func isUnattended(p *runbook.Plan) { p.Unattended = true }

// requireOperated demands that the operation is complete, by what the network shows.
func requireOperated(t require.TestingT, r *runbooktest.Run) {
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeDone, s.Outcome, "%v", s.Problem)
	require.Empty(t, runbook.Broken(r.Journal))
	require.Empty(t, r.Net.Faults())
	o := *s.Plan.Operation
	var members []string
	for _, c := range s.Metadata.Consenters {
		members = append(members, c.Node)
	}
	require.Equal(t, o.Kind != runbook.RemoveConsenter && o.Kind != runbook.SetOptions, slices.Contains(members, o.Node))
	x := runbook.Expectation{Type: runbook.TypeRaft, State: runbook.StateNormal, MetadataHash: s.Metadata.Hash, Leader: true, Agreement: true}
	switch o.Kind {
	case runbook.AddConsenter:
		x.Endpoint = o.Endpoint
	case runbook.RemoveConsenter:
		x.NoEndpoint = o.Endpoint
	}
	for _, c := range r.Net.States() {
		c.Nodes = slices.DeleteFunc(c.Nodes, func(n runbook.NodeState) bool { return !slices.Contains(members, n.Node) })
		require.Empty(t, x.Judge([]runbook.ChannelState{c}))
		require.Equal(t, 1, r.Net.Submitted(c.Name, o.Change()), "%s on %s", o.Change(), c.Name)
		if o.Kind == runbook.AddConsenter {
			require.Equal(t, 1, r.Net.Submitted(c.Name, runbook.ChangeAddEndpoint), c.Name)
		}
	}
}

func TestOperationsOnRaft(t *testing.T) {
	for name, o := range operations() {
		t.Run(name, func(t *testing.T) {
			r := operate(t, raftNetwork(3), o, isUnattended)
			require.NoError(t, r.Continue())
			requireOperated(t, r)

			attended := operate(t, raftNetwork(3), o, nil)
			require.NoError(t, attended.Continue())
			s := attended.Book.Snapshot()
			require.Equal(t, runbook.StepConfirmPlan, s.Gate.Step, "nothing is changed before a person has said so")
			require.Contains(t, s.Gate.Facts, o.String(), "the gate shows the difference")
			require.True(t, s.AbortOffered)
			require.NoError(t, attended.Finish())
			requireOperated(t, attended)
		})
	}
}

func TestOperationsOnSmallAndSystemlessNetworks(t *testing.T) {
	for consenters := 1; consenters <= 2; consenters++ {
		for name, o := range operations() {
			switch {
			case name == "remove" && consenters == 1:
				continue
			case name == "remove":
				o.Node, o.Endpoint = "orderer1", runbooktest.Endpoint("orderer1")
			case name == "rotate":
				o.Node = "orderer0"
			}
			t.Run(fmt.Sprintf("%s, %d consenters", name, consenters), func(t *testing.T) {
				r := operate(t, raftNetwork(consenters), o, isUnattended)
				require.NoError(t, r.Continue())
				requireOperated(t, r)
			})
		}
	}
	for name, o := range operations() {
		n := runbooktest.New(runbooktest.Options{Raft: true, Spare: 1, Channels: []string{"b", "a"}, NoSystemChannel: true})
		r := operate(t, n, o, isUnattended)
		require.NoError(t, r.Continue())
		requireOperated(t, r)
		require.Equal(t, "a", firstUpdate(r.Journal).Channel, name)
	}
}

func firstUpdate(journal []runbook.Event) runbook.Effect {
	for _, ev := range journal {
		if ev.Kind == runbook.EventIntended && ev.Effect.Kind == runbook.SubmitUpdate {
			return *ev.Effect
		}
	}
	return runbook.Effect{}
}

func TestAnOperationThatDiesAtAnyRecordIsResumedAndSubmitsNothingTwice(t *testing.T) {
	systemless := func() *runbooktest.Network {
		return runbooktest.New(runbooktest.Options{Raft: true, Spare: 1, Channels: []string{"ch1", "ch2"}, NoSystemChannel: true})
	}
	everyCrashOf(t, "add without system channel", operations()["add"], systemless)
	for name, o := range operations() {
		everyCrashOf(t, name, o, func() *runbooktest.Network { return raftNetwork(3) })
	}
}

func everyCrashOf(t *testing.T, name string, o runbook.Operation, network func() *runbooktest.Network) {
	t.Run(name, func(t *testing.T) {
		whole := operate(t, network(), o, nil)
		require.NoError(t, whole.Finish())
		for record := 1; record <= len(whole.Journal); record++ {
			for _, fate := range []string{"none", "all", "under way"} {
				r := operate(t, network(), o, nil)
				r.CrashAt = record
				if err := r.Finish(); err != nil {
					require.ErrorIs(t, err, runbooktest.ErrCrashed)
				}
				for _, e := range openEffects(r.Journal) {
					switch fate {
					case "all":
						_, _ = r.Net.Perform(t.Context(), e, nil)
					case "under way":
						r.Net.PerformLater(e)
					}
				}
				require.NoError(t, r.Recover(len(r.Journal)))
				require.NoError(t, r.Finish(), "record %d, %s", record, fate)
				requireOperated(t, r)
			}
		}
	})
}

func TestAnOperationWhoseEffectsFailOnceIsRetriedAndSubmitsNothingTwice(t *testing.T) {
	for name, o := range operations() {
		t.Run(name, func(t *testing.T) {
			whole := operate(t, raftNetwork(3), o, nil)
			require.NoError(t, whole.Finish())
			for _, ev := range whole.Journal {
				if ev.Kind != runbook.EventIntended {
					continue
				}
				for _, after := range []bool{false, true} {
					r := operate(t, raftNetwork(3), o, nil)
					failed := false
					for r.Book.Outcome() == "" {
						switch s := r.Book.Snapshot(); {
						case len(r.Active) > 0:
							if e := r.Active[0]; e.ID == ev.Effect.ID && !failed {
								failed = true
								r.Net.Fail(runbooktest.Failure{Kind: e.Kind, Channel: e.Channel, Tier: e.Tier, After: after, What: "it broke"})
							}
							require.NoError(t, r.Complete(0))
						case s.Gate != nil:
							require.NoError(t, r.Pass())
						default:
							require.Equal(t, "it broke", s.Problem.What)
							require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
						}
					}
					require.True(t, failed, ev.Effect.ID)
					requireOperated(t, r)
				}
			}
		})
	}
}

// TestOperationRulesHoldWhateverHappens is TestRulesHoldWhateverHappens for
// operations: chance fails effects, ends the process and kills a node.
func TestOperationRulesHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := operations()
		o := all[rapid.SampledFrom([]string{"add", "remove", "rotate", "options"}).Draw(t, "operation")]
		n := raftNetwork(3)
		r := operate(t, n, o, func(p *runbook.Plan) { p.Unattended = rapid.Bool().Draw(t, "unattended") })
		down := ""
		for range 200 {
			s := r.Book.Snapshot()
			if s.Outcome != "" && !s.Resumable {
				break
			}
			what := rapid.IntRange(0, 99).Draw(t, "what")
			switch {
			case s.Outcome != "" || what < 8:
				for _, e := range r.Active {
					switch rapid.IntRange(0, 2).Draw(t, "fate of "+string(e.ID)) {
					case 1:
						_, _ = n.Perform(t.Context(), e, nil)
					case 2:
						n.PerformLater(e)
					}
				}
				require.NoError(t, r.Recover(len(r.Journal)))
			case what < 16 && len(r.Active) > 0:
				e := r.Active[0]
				n.Fail(runbooktest.Failure{Kind: e.Kind, Channel: e.Channel, Tier: e.Tier, After: rapid.Bool().Draw(t, "after"), What: "it broke"})
				require.NoError(t, r.Complete(0))
			case what < 18 && down == "":
				down = rapid.SampledFrom([]string{"orderer0"}).Draw(t, "dies")
				n.Kill(down)
			case what < 30 && down != "":
				n.Revive(down)
				down = ""
			case what < 31:
				err := r.Step(runbook.Event{Kind: runbook.EventAbort, Text: "because"})
				require.Equal(t, s.AbortOffered, err == nil)
			case len(r.Active) > 0:
				require.NoError(t, r.Complete(rapid.IntRange(0, len(r.Active)-1).Draw(t, "which")))
			case s.Gate != nil:
				require.NoError(t, r.Pass())
			default:
				require.NotNil(t, s.Problem)
				require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
			}
			require.Empty(t, runbook.Broken(r.Journal))
			for _, fault := range n.Faults() { // a node that died by chance is no fault of the run
				require.Contains(t, fault, "lost its quorum")
			}
			again, err := runbook.Replay(r.Journal)
			require.NoError(t, err)
			require.Equal(t, r.Book.Snapshot(), again.Snapshot())
		}
		switch s := r.Book.Snapshot(); s.Outcome {
		case runbook.OutcomeDone:
			if down == "" {
				for _, c := range n.States() {
					require.Equal(t, 1, n.Submitted(c.Name, o.Change()), c.Name)
				}
			}
		case runbook.OutcomeRolledBack:
			for _, c := range n.States() {
				require.Zero(t, n.Submitted(c.Name, o.Change()), c.Name)
			}
		}
	})
}

func TestAnOperationGoesBackOnlyWhileNothingIsChanged(t *testing.T) {
	r := operate(t, raftNetwork(3), operations()["add"], nil)
	require.NoError(t, r.Continue())
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventAbort}))
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeRolledBack, s.Outcome)
	require.False(t, s.Resumable)

	r = operate(t, raftNetwork(3), operations()["add"], nil)
	require.NoError(t, r.Continue())
	require.NoError(t, r.Pass())
	require.ErrorIs(t, r.Step(runbook.Event{Kind: runbook.EventAbort}), runbook.ErrRefused)
	require.Contains(t, r.Book.Snapshot().AbortNote, "operation of its own")
	require.NoError(t, r.Finish())
	requireOperated(t, r)
}

func TestAnUnattendedOperationThatIsRefusedFailsAndCanBeResumed(t *testing.T) {
	n := raftNetwork(3)
	r := operate(t, n, operations()["rotate"], isUnattended)
	upTo(t, r, func(e runbook.Effect) bool { return e.Kind == runbook.SubmitUpdate })
	n.Kill("orderer2") // two of three are left, and one of them gets new certificates
	require.NoError(t, r.Continue())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.OutcomeFailed, s.Outcome)
	require.Contains(t, s.Problem.Error(), "cannot tell whether the update is in force", "after two refusals")
	require.Zero(t, n.Submitted(runbooktest.SystemChannel, runbook.ChangeRotateCertificates))
	require.True(t, s.Resumable)
	require.True(t, n.Running("orderer1"), "it is not stopped before the others are proven to go on without it")
	n.Revive("orderer2")
	require.NoError(t, r.Recover(len(r.Journal)))
	require.NoError(t, r.Continue())
	requireOperated(t, r)
}

func TestOneNodeIsNotTouchedBeforeAllOthersHaveProvenTheUpdate(t *testing.T) {
	n := raftNetwork(3)
	r := operate(t, n, operations()["rotate"], nil)
	upTo(t, r, func(e runbook.Effect) bool { return e.Step == runbook.StepUpdateVerify })
	n.NoLeader("ch2", true)
	require.NoError(t, r.Finish())
	s := r.Book.Snapshot()
	require.Equal(t, runbook.StepUpdateVerify, s.Steps[s.Current].ID)
	require.Contains(t, s.Problem.Error(), "no leader is known")
	require.True(t, n.Running("orderer1"))
	n.NoLeader("ch2", false)
	require.NoError(t, r.Step(runbook.Event{Kind: runbook.EventRetry}))
	require.NoError(t, r.Finish())
	requireOperated(t, r)
}

func TestAConsenterThatIsGoneIsRemovedWithoutIt(t *testing.T) {
	n := raftNetwork(3)
	n.Kill("orderer2")
	r := operate(t, n, operations()["remove"], isUnattended)
	require.NoError(t, r.Continue())
	requireOperated(t, r)
}

func TestPeoplePutTheFilesInPlaceWhereRaftmigCannot(t *testing.T) {
	for _, name := range []string{"add", "rotate"} {
		o := operations()[name]
		o.ByHand = true
		n := raftNetwork(3)
		r := operate(t, n, o, nil)
		require.NoError(t, r.Continue())
		require.NoError(t, r.Pass())
		require.NoError(t, r.Continue())
		s := r.Book.Snapshot()
		require.Equal(t, runbook.StepNodeByHand, s.Gate.Step)
		require.False(t, n.Running(o.Node))
		if name == "rotate" { // a person does it
			_, err := n.Perform(t.Context(), runbook.Effect{Kind: runbook.InstallCertificates, Nodes: []string{o.Node}}, nil)
			require.NoError(t, err)
		}
		require.NoError(t, r.Finish())
		requireOperated(t, r)
	}
}

func TestPlansOfOperationsAreChecked(t *testing.T) {
	base := raftNetwork(3).Plan()
	for name, tc := range map[string]struct {
		change func(*runbook.Plan)
		why    string
	}{
		"unknown kind":       {func(p *runbook.Plan) { p.Operation.Kind = "consenter-swap" }, "unknown operation"},
		"no node":            {func(p *runbook.Plan) { p.Operation.Node = "" }, "names no consenter"},
		"a node not in it":   {func(p *runbook.Plan) { p.Operation.Node = "orderer9" }, `does not have the orderer "orderer9"`},
		"a phase to go back": {func(p *runbook.Plan) { p.AbortAfter = runbook.PhaseSwitch }, "no phase to go back after"},
		"nobody to do it":    {func(p *runbook.Plan) { p.Operation.ByHand, p.Unattended = true, true }, "cannot wait for what people put"},
		"no files":           {func(p *runbook.Plan) { p.Operation.Kind = runbook.RotateCertificates }, "no new certificates"},
		"no option": {func(p *runbook.Plan) {
			*p.Operation = runbook.Operation{Kind: runbook.SetOptions, Options: &runbook.RaftOptions{}}
		}, "sets no option"},
	} {
		p := base
		o := operations()["add"]
		p.Operation = &o
		require.NoError(t, p.Validate())
		tc.change(&p)
		require.ErrorContains(t, p.Validate(), tc.why, name)
	}
}

func TestTheStepsOfOperationsSayWhatWhyHowVerifiedAndFit80Columns(t *testing.T) {
	for name, o := range operations() {
		if o.Files != nil {
			o.Files = &runbook.CertificateFiles{ServerCert: "new/server.crt", ServerKey: "new/server.key", ClientCert: "new/client.crt", ClientKey: "new/client.key"}
		}
		r := operate(t, raftNetwork(3), o, isUnattended)
		require.NoError(t, r.Continue())
		for _, s := range r.Book.Snapshot().Steps {
			x := s.Explain
			for field, text := range map[string]string{"title": x.Title, "what": x.What, "why": x.Why, "verify": x.Verify, "undo": x.Undo, "guide": x.Guide} {
				require.NotEmpty(t, text, "%s: %s of %s", name, field, s.ID)
				for _, sentence := range strings.Split(text, ". ") {
					require.LessOrEqual(t, len(strings.Fields(sentence)), 35, "%s: %s: %s", name, s.ID, sentence)
				}
			}
			require.LessOrEqual(t, len(x.Title), 40, s.ID)
			require.Positive(t, x.Estimate, s.ID)
			gate := s.ID == runbook.StepConfirmPlan || s.ID == runbook.StepNodeByHand
			require.Equal(t, gate, len(x.Commands) == 0, "%s: only gates have no equivalent command", s.ID)
			for _, line := range strings.Split(strings.Join(x.Commands, "\n"), "\n") {
				require.LessOrEqual(t, len(line), 80, "%s: %s", s.ID, line)
			}
		}
	}
}

// Where others sign, an operation stands still once per round, too.
func TestAnOperationStandsStillOncePerRoundForSignatures(t *testing.T) {
	for name, want := range map[string][]string{
		"add":     {"update.submit syschan ch1 ch2", "endpoint.submit syschan ch1 ch2"},
		"remove":  {"update.submit syschan ch1 ch2"},
		"rotate":  {"update.submit syschan ch1 ch2"},
		"options": {"update.submit syschan ch1 ch2"},
	} {
		n := raftNetwork(3)
		n.RequireSignatures()
		r := operate(t, n, operations()[name], func(p *runbook.Plan) { p.Unattended, p.AwaitSignatures = true, true })
		require.Equal(t, want, signed(t, r), name)
		requireOperated(t, r)
	}
}

// A node that runs already, as one that only follows the channels, is started
// anew: it would find out by itself only after minutes.
func TestANewConsenterThatRunsAlreadyIsStartedAnew(t *testing.T) {
	n := raftNetwork(3)
	n.Revive("orderer3")
	r := operate(t, n, operations()["add"], isUnattended)
	require.NoError(t, r.Continue())
	requireOperated(t, r)
	var done []runbook.EffectKind
	for _, ev := range r.Journal {
		if ev.Kind == runbook.EventIntended && ev.Effect.Step == runbook.StepNodeStart {
			done = append(done, ev.Effect.Kind)
		}
	}
	require.Equal(t, []runbook.EffectKind{runbook.ReadProcesses, runbook.StopNodes, runbook.StartNodes}, done)
}

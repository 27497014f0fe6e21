/*
Package runbook decides what a migration from Kafka to Raft does next. It is a
pure state machine: no clock, no disk, no network, no goroutine. Sub-packages
surround it: journal keeps its events, driver performs its effects, remote
shows it to other processes, preflight judges facts, report writes it down.

# Vocabulary

A run is one migration of one network. It takes the steps of the guide in
order, grouped in phases. A step asks for effects, in waves: the effects of one
wave are independent of each other, the waves follow one another. An effect is
data; an Operator performs it and returns evidence. A step is done when the
evidence proves what it set out to do. Everything that happens is an event,
and events are the only input: the same events give the same state.

A gate is a step that waits for the operator. A step that fails leaves the run
standing still with a Problem, until the operator retries, aborts or gives up.

A run whose plan has an Operation is no migration but a change of a network that
is on Raft: a consenter that is added, removed or given new certificates, or
other Raft options. It has steps and rules of its own; all else is the same.

# The loop

The caller owns the loop and everything impure:

	rb, err := runbook.Replay(eventsOfTheJournal) // New() for a fresh run
	rb.Step(Event{Kind: EventResumed, At: now})   // EventStarted for a fresh run
	for {
		rb.Step(Event{Kind: EventTick, At: now})
		rd := rb.Ready()
		append rd.Events to the journal, in order, and fsync
		rb.Advance(rd)
		cancel the effects in rd.Cancel
		begin each effect in rd.Effects
		if rb.Snapshot().Outcome != "" { break }
		wait for the end of an effect, or for a command
		rb.Step(EventDone, EventFailed, or the command's event)
	}

The order is the contract: the intent is in the journal before the effect is
performed, and its evidence is in the journal before anything is built on it.

  - Step either accepts an event, which then appears in the next Ready, or
    returns an error and changes nothing. ErrRefused is for the operator's eyes,
    ErrUnexpected is a fault of the caller.
  - Ready changes nothing and may be called at any time. No event may be stepped
    between Ready and its Advance.
  - EventIntended is made by Ready, and stepped by Replay only. EventTick only
    tells the time and is not journaled.
  - Effects named in Cancel only read, or only write the backup. Their end, whatever it is, is still
    reported with EventDone or EventFailed.
  - The caller fills Evidence.Findings of GatherFacts (package preflight) before
    stepping it, so that the journal has the findings and not only the facts:
    a journal replayed by a program with other checks gives the same state.

# Resumption

After EventResumed an effect that was intended and has no result is unknown:
the process may have died before, during or after it. Reading effects are
wanted again, under a new ID. Of changing ones the step's verification is asked
first:

  - an update: is it in force? One node that shows it is proof. That none shows
    it is believed only if every node could be read, after a short time for an
    update that is still under way. Only then is it submitted again.
  - stopping: do the processes run? If none does, it is done.
  - a backup: can it be verified? If not, it is taken again.
  - starting, restoring, removing Raft folders: performed again, because doing
    so twice changes nothing, and proves more than looking would.

A run resumed right before the restart begins that step again, so that the
last-block gate is passed once more as long as all orderers run.

EventRetry treats the failed effects of a step in the same way, because an
effect that failed may have had its effect all the same.

# The way back

EventAbort is accepted until the first update that leaves maintenance mode on
Raft is intended (R9). What is being done ends first; reading effects and a
backup that is being taken are cancelled. What the way back takes follows from what may have happened: see
DESIGN.md. It can be resumed and retried like the way forward, but not aborted.

If the update that leaves maintenance mode fails, the runbook reads every
channel on every node before it stands still. Only if all of them still are in
maintenance on Raft is the way back open again: the guide names a failed exit
of the system channel among the signs that the backup is needed.

An unattended run passes gates without asking. Where it waits for signatures that are made elsewhere it
stands still all the same, until EventRetry finds them. If a step fails it goes back by
itself as long as that is possible and something was changed. A step of the way back
that is tried again begins with starting what lies down. Where it cannot go
back, or is on its way back, it tries a step three times and then ends as
failed; such a run is Resumable: EventResumed opens it again at the failed step.
A run that changed nothing, or that the operator gave up, has ended for good. A run that was rolled back because of a failure keeps that failure
in Snapshot.Problem.

An operation on Raft goes back only as long as nothing was changed, which ends
the run. After that a failed step is retried, and the inverse is another run.

# Guarantees

The rules R1 to R9 (see Rules), or O1 to O6 of an operation (see OperationRules), hold for every sequence of events, with
crashes at any point. No update that is in force is submitted again.
*/
package runbook

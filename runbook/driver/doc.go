/*
Package driver carries out a run: it keeps the runbook's events in the journal,
performs its effects through an Operator, and shows the run to clients.

One goroutine owns the runbook. It goes round the loop of package runbook:
journal what is ready, begin the effects, wait for a result, a command or the
end. Every effect is performed in a goroutine of its own that Run waits for.
Clients never hold up the run: each has its own buffer, in which a new snapshot
replaces the one that was not fetched yet.

When its context ends, Run begins nothing more, cancels what is being
performed, waits for it, keeps the results that were still successes and
returns. What was cancelled has no result in the journal; the next run finds out.
*/
package driver

/*
Package runner holds one run of the runbook on one network together: its folder,
its lock, its journal, the operator that performs its effects, the driver, and
the socket that terminals attach to.

# The folder

Runs of a network lie side by side in one folder, by default "raftmig-runs"
beside raftmig.yaml:

	lock                        held while a run is driven; names its owner
	runner.log                  what detached runners had to say
	20261122T031500Z/journal    the events of a run (package journal)
	20261122T031500Z/backup     its backup, unless raftmig.yaml says elsewhere
	20261122T031500Z/signatures updates for administrators elsewhere to sign, with awaitSignatures
	20261122T031500Z/socket     terminals attach here (0600), while it is driven

A run whose journal has come to an end is never written to again. A run that has
not is resumed, and no other one is begun before it has ended.
*/
package runner

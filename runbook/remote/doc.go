/*
Package remote shows a run to other processes and lets them command it, over a
unix socket that only its owner can open (mode 0600).

# Protocol

Both directions carry JSON, one value a line. The server sends

	{"update": …}                a runbook.Update, as they come up
	{"reply": 7, "error": "…"}   the answer to command 7; no error: granted
	{"end": true}                the run has ended, or is not driven any more

and the client sends

	{"id": 7, "command": …}      a runbook.Command

Every connection is a client of its own of the driver, with a buffer of its own
in which a newer snapshot replaces an older one. A terminal that reads slowly
sees fewer snapshots and holds nothing up.
*/
package remote

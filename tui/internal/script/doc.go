// Package script plays a migration that never happens: snapshots as a run
// would send them, for the screens' goldens and for the demo. It talks to
// nothing; what it shows is made up and says so in the network's name.
package script

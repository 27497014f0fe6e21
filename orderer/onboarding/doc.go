// Package onboarding fetches whole channels from other orderers: for a new
// node that starts from a config block of the system channel (spec 5.4,
// Replicator), and for channels that a running node stores but does not order
// until it is one of their consenters (InactiveChainReplicator).
//
// What is believed: the boot block, which the operator gave. The system channel
// is believed as far as its blocks are linked by hashes to the boot block. The
// genesis block of another channel is in the system channel; the blocks after it
// are believed if the orderers that its own configuration names have signed
// them.
//
// The order makes it safe to be killed at any time: the system channel's ledger
// is made first and written last, so that it is there without the boot block
// exactly if a replication was not finished; the next start sees that and goes
// on. A ledger that is there in part is continued.
package onboarding

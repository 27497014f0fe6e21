// Package follower keeps the ledger of a channel that this node is no consenter
// of, or no consenter yet, up to date with blocks of the channel's orderers
// (spec 4.9, 9). It exists only without a system channel.
//
// A follower begins in one of three ways: with a join block, up to which it
// onboards; on a ledger that was left by an earlier run; or on the ledger of a
// chain that was evicted. It ends when the configuration in force makes this
// node a consenter, or when it is halted.
//
// What is believed: the join block, which the operator gave. The blocks before
// it are believed if they lead to it by their hashes and are signed as the
// configurations before them demand; the genesis block is fetched, so that a
// false one is found out at the join block at the latest. Later blocks are
// believed if the orderers that the configuration names have signed them.
//
// It is safe to be killed at any time: the join block is on disk before the
// follower begins, and the ledger says how far it came.
package follower

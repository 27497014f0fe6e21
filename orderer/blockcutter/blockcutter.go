// Package blockcutter groups messages into batches (spec 6.4). It is pure: the
// batch timeout is the consenter's business.
package blockcutter

import "raftmig/orderer/protoutil"

// Receiver takes messages in order and says when a batch is complete. It is
// not safe for concurrent use.
type Receiver interface {
	// Ordered takes the next message. It returns zero, one or two batches to be
	// cut now and whether messages are left pending.
	Ordered(msg *protoutil.Message) (batches [][]*protoutil.Message, pending bool)
	// Cut returns the pending messages, possibly none, and forgets them.
	Cut() []*protoutil.Message
}

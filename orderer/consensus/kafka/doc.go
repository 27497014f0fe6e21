// Package kafka is the Kafka consenter: a channel's messages are ordered by
// the one partition of a topic that has the channel's name, and every orderer
// makes the same blocks of them (spec 3, C.1). Its records, block metadata and
// decisions are those of Fabric 1.4 to 2.5, so that Fabric's orderers and these
// share topics.
//
// # Structure
//
// Sequencer decides, and does nothing: it takes the topic's records one by one
// and returns actions. Chain is a short loop around the Kafka client that does
// them. What depends on a clock, the network or a configuration reaches the
// sequencer as a record, an outcome or through Rules.
//
// # Records
//
// The key is "0", the value a KafkaMessage (kafka.proto), the partition 0;
// there are no headers. See codec.go.
//
// # Blocks
//
// A block's KafkaMetadata says where to go on after a restart. R is the offset
// of the record that causes the block:
//
//	a batch with the record in it            R, the record's original offset counted
//	a batch without it, the record is left   R-1, and the original offset of the record is forgotten
//	a batch, then the record alone           R-1; R, counted
//	a time-to-cut record                     R, and LastResubmittedConfigOffset left out
//	a configuration: what was pending        R-1
//	the configuration itself                 R, counted
//
// The second and fourth lines are oddities of Fabric. They are kept because
// the metadata decides which resubmissions are duplicates. The second has a
// consequence that this package shares with Fabric: an orderer restarted just
// behind such a block counts the original offset that the others forgot, and
// drops duplicates of that record that the others commit. It takes a message
// resubmitted by several orderers, whose resubmission overflows a batch, and a
// restart before the next block.
//
// # Order and acknowledgement
//
// Order returns when all in-sync replicas have the record (acks=all).
// OrderAsync lets one caller have many records under way. What a caller sends
// is ordered as it is sent, because a channel has one producer with one
// request under way per broker (Net.MaxOpenRequests 1), and the client retries
// a failed batch before it sends a later one. What accumulates meanwhile
// makes the next batch, so throughput does not suffer. Records under way are
// limited to 512 KiB, because brokers refuse a batch beyond their
// message.max.bytes, 1 MB by default, even if each of its records is smaller.
//
// The idempotent producer is not used. It would remove the duplicates that a
// lost acknowledgement leaves, but it needs protocol 0.11 where Fabric's
// default is 0.10.2, a permission (IdempotentWrite) that clusters with access
// control lists have not given to orderers, and it can end in errors that no
// Fabric orderer knows. A failed record may therefore have been written all
// the same, as with Fabric.
//
// # Where it differs from Fabric
//
// None of this changes a block.
//
//   - A time-to-cut record that could not be posted is posted again after
//     another batch timeout, where Fabric waits for the next message.
//   - A message is resubmitted until Kafka has it, where Fabric gives up with
//     the producer's own retries, although the client holds an acknowledgement.
//   - Ingress, blocked while a resubmitted configuration is under way, opens
//     also when that configuration turns out to be rejected, overtaken by
//     another orderer's, or gone for good at a restart. Fabric stays blocked.
//   - Halt ends a start phase that waits for brokers.
//   - Where Fabric's process panics because the start phase failed,
//     Options.Fatal is called.
package kafka

// Package bench measures how fast an ordering service orders: networks of real
// orderer processes with TLS, signatures checked and fsync on, under a load of
// transactions that were signed beforehand.
//
// Each of Streams broadcast streams keeps up to Window transactions that are
// sent and not yet seen in a block; a Deliver stream says which those are. The
// latency of a transaction is the time from before it is given to its stream
// until the block that holds it has arrived. Throughput is what arrives in
// blocks per second, after a warm-up. Afterwards every transaction that was
// acknowledged must have arrived, each once, or there is no result.
//
// With a Fabric orderer to compare with, rounds alternate: the machine is
// slower at times, and both engines must see the same.
package bench

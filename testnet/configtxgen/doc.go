// Package configtxgen turns a configtx.yaml into the files that a network
// starts from: genesis blocks, channel-create transactions, anchor-peer
// updates (spec 7.8, 10.1). Equal inputs give the bytes of Fabric's
// configtxgen, but for nonce, transaction ID and time.
//
// Files for Fabric 1.4 and older leave out policies and capabilities, which
// later versions demand. They get the defaults of 1.4, and each default is
// reported through Options.Warn.
//
// It is stricter than Fabric's tool where that would write a network that
// cannot work: unknown keys, values given twice, contradictory sizes and
// organizations that share a name are errors with file and line.
package configtxgen

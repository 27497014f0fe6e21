// Package p256 verifies ECDSA signatures on the curve P-256, and those of the
// keys that sign most in less than half the time.
//
// Nearly all of that time is u2·Q, a multiple of the signer's public key. A
// client that submits thousands of transactions signs them all with one key, so
// for such a key the multiples of Q are kept in a table and u2·Q is a sum of 32
// of them: what every library does for the curve's base point.
//
// What an answer rests on: the arithmetic of points is filippo.io/nistec, the
// published copy of what crypto/ecdsa itself is built on, with additions that
// hold for all pairs of points. This package chooses the points and adds them.
// A signature that does not verify that way is given to crypto/ecdsa, whose
// answer counts: a table can make a good signature slow, never refuse it. Keys
// that are used seldom, other curves, other digests than of 32 bytes, and
// programs in FIPS 140 mode have crypto/ecdsa's answer at once.
//
// Only public values are computed with, so nothing here is constant-time, and
// nothing here may be used to sign.
package p256

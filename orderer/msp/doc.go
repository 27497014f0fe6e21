// Package msp validates identities as Fabric's membership service providers
// of type FABRIC do (spec 7.6): certificate chains, revocation, organizational
// units, NodeOUs and roles, for MSP versions 1.0 to 1.4.3. It is pure; loading
// an MSP folder is the business of mspdir.
//
// # From bytes to a verdict
//
//  1. Manager.DeserializeIdentity finds the MSP that the bytes name.
//  2. The MSP looks the bytes up in its cache. A new certificate is parsed, its
//     one chain to the MSP's CAs is built, and its signature is brought to the
//     low-S form: the same certificate with the other S is the same identity.
//  3. Identity.Validate checks what the chain cannot say: no CA, issued by a CA
//     without CAs below it, not revoked, the right organizational units.
//  4. Identity.SatisfiesPrincipal answers for roles, units, single identities
//     and combinations of them, Identity.Verify for signatures.
//
// An MSP never changes, so everything but Verify is remembered: identities by
// their bytes, verdicts and principals with the identity. A known identity
// costs a map look-up beside its ECDSA verification. The cache is bounded in
// entries and in bytes per entry, because strangers choose the bytes.
//
// # Dates
//
// Chains are verified as of one second after the certificate began to be valid.
// Expired certificates and CAs therefore stay members: a ledger that was right
// yesterday is right tomorrow, and all orderers agree on it whatever their
// clocks say. Who cares about dates asks Identity.ExpiresAt.
//
// # What is different from Fabric
//
// Verdicts are the same. Where Fabric prints whole certificates into an error
// text, the text here names the subject. MSPs of type IDEMIX are refused.
package msp

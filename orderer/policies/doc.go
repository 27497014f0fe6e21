// Package policies evaluates signature policies and implicit meta policies
// (spec 7.5). It is pure.
//
// A manager compiles all policies of a configuration once, bottom up, as a tree
// that mirrors the config groups. An evaluation has two halves: ValidIdentities
// turns signatures into identities, each once, leaving out what does not
// verify; then the policy decides over identities. Implicit meta policies ask
// their sub-groups with the identities, so that a signature is verified once
// however many organizations there are.
//
// A signature policy consumes identities in the order of the signatures and
// does not try other assignments. That is Fabric's definition, with its
// surprises: all orderers and peers must come to the same verdict.
package policies

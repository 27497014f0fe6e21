// Package cryptogen makes key material for a network from a
// crypto-config.yaml: the same folders, names, certificate fields,
// organizational units and key format as Fabric's cryptogen (spec 10.2), so
// that orderers, peers and SDKs take the result as it is.
//
// It differs where Fabric's tool would do harm: unknown keys and names that
// collide are errors, existing material is never overwritten, private keys are
// readable by their owner only, and an organization appears in the output
// folder as a whole or not at all.
package cryptogen

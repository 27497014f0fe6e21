package msp

import (
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"fmt"
	"hash"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// hashes are the hash functions of an MSP's crypto config; empty names mean
// SHA2 and SHA256.
type hashes struct {
	message  func() hash.Hash // what identities sign
	identity func() hash.Hash // identity keys and CA chains
}

func newHashes(conf *mspproto.FabricCryptoConfig) (hashes, error) {
	h := hashes{message: sha256.New, identity: sha256.New}
	switch family := conf.GetSignatureHashFamily(); family {
	case "", "SHA2":
	case "SHA3":
		h.message = newSHA3_256
	default:
		return hashes{}, fmt.Errorf("hash family not recognized [%s]", family)
	}
	switch name := conf.GetIdentityIdentifierHashFunction(); name {
	case "", "SHA256":
	case "SHA384":
		h.identity = sha512.New384
	case "SHA3_256":
		h.identity = newSHA3_256
	case "SHA3_384":
		h.identity = func() hash.Hash { return sha3.New384() }
	default:
		return hashes{}, fmt.Errorf("hash function not recognized [%s]", name)
	}
	return h, nil
}

func newSHA3_256() hash.Hash { return sha3.New256() }

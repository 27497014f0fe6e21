// Package mspdir reads MSP folders as Fabric's tools lay them out (spec 7.6, 10.2):
//
//	cacerts/            root CAs, at least one
//	intermediatecerts/  CAs below them
//	admincerts/         listed administrators
//	crls/               revocation lists
//	tlscacerts/ tlsintermediatecerts/
//	config.yaml         OrganizationalUnitIdentifiers, NodeOUs
//	signcerts/ keystore/  the identity that signs, in local MSPs only
//
// Files count in the order of their names. As in Fabric, files without a PEM
// block are passed over, and the identity is the first certificate in
// signcerts with whichever key of keystore belongs to it.
package mspdir

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"

	"raftmig/orderer/msp"
	"raftmig/orderer/protoutil"
)

// Load reads the verifying part of the MSP folder dir as the MSP called mspID.
// The bytes are those that configtxgen puts into a channel configuration.
func Load(dir, mspID string) (*mspproto.MSPConfig, error) {
	return LoadReporting(dir, mspID, func(string) {})
}

// LoadReporting is Load, and calls warn with everything that was passed over:
// files without a PEM block, and NodeOUs whose CA certificate cannot be read.
func LoadReporting(dir, mspID string, warn func(text string)) (*mspproto.MSPConfig, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	r := &reader{dir: dir, warn: warn}
	conf := &mspproto.FabricMSPConfig{
		Name:              mspID,
		RootCerts:         r.pems("cacerts"),
		Admins:            r.pems("admincerts"),
		IntermediateCerts: r.pems("intermediatecerts"),
		TlsRootCerts:      r.pems("tlscacerts"),
		RevocationList:    r.pems("crls"),
		CryptoConfig: &mspproto.FabricCryptoConfig{
			SignatureHashFamily:            "SHA2",
			IdentityIdentifierHashFunction: "SHA256",
		},
	}
	if len(conf.TlsRootCerts) > 0 {
		conf.TlsIntermediateCerts = r.pems("tlsintermediatecerts")
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(conf.RootCerts) == 0 {
		return nil, fmt.Errorf("could not load a valid ca certificate from directory %s", filepath.Join(dir, "cacerts"))
	}
	if err := r.config(conf); err != nil {
		return nil, err
	}
	b, err := protoutil.Marshal(conf)
	if err != nil {
		return nil, fmt.Errorf("marshalling the MSP of folder %s: %w", dir, err)
	}
	return &mspproto.MSPConfig{Type: msp.TypeFabric, Config: b}, nil
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("reading the MSP folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("reading the MSP folder: %s is not a folder", dir)
	}
	return nil
}

// reader collects the contents of sub-folders; its first error sticks.
type reader struct {
	dir  string
	warn func(string)
	err  error
}

type pemFile struct {
	path    string
	content []byte
}

func (r *reader) pems(sub string) [][]byte {
	var out [][]byte
	for _, f := range r.files(sub) {
		out = append(out, f.content)
	}
	return out
}

// files returns the PEM files of a sub-folder; none if there is no such folder.
func (r *reader) files(sub string) []pemFile {
	if r.err != nil {
		return nil
	}
	dir := filepath.Join(r.dir, sub)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		r.err = fmt.Errorf("could not read directory %s: %w", dir, err)
		return nil
	}
	var out []pemFile
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // follows links, as in mounted secrets
		if err != nil {
			r.warn(fmt.Sprintf("passed over %s: %v", path, err))
			continue
		}
		if info.IsDir() {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			r.warn(fmt.Sprintf("passed over %s: %v", path, err))
			continue
		}
		if block, _ := pem.Decode(content); block == nil {
			r.warn(fmt.Sprintf("passed over %s: it holds no PEM block", path))
			continue
		}
		out = append(out, pemFile{path, content})
	}
	return out
}

package mspdir

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"raftmig/orderer/msp"
)

// LoadSigner reads the signing identity of the local MSP folder dir, and
// nothing else of it. It does not look at dates; see CheckExpiry.
func LoadSigner(dir, mspID string) (msp.SigningIdentity, error) {
	s, err := loadSigner(dir, mspID)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// signer is a signing identity with the files that it came from.
type signer struct {
	msp.SigningIdentity
	cert, key pemFile
}

func loadSigner(dir, mspID string, keystores ...string) (*signer, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	var passedOver []error
	r := &reader{dir: dir, warn: func(text string) { passedOver = append(passedOver, errors.New(text)) }}
	certs, keys := r.files("signcerts"), r.files("keystore")
	folders := []string{filepath.Join(dir, "keystore")}
	for _, keystore := range keystores {
		folders = append(folders, keystore)
		r.dir = keystore
		keys = append(keys, r.files("")...)
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(certs) == 0 {
		return nil, withReasons(passedOver, "could not load a valid signer certificate from directory %s", filepath.Join(dir, "signcerts"))
	}
	keystore := strings.Join(folders, ", ")
	if len(keys) == 0 {
		return nil, withReasons(passedOver, "could not load a private key from directory %s", keystore)
	}
	cert := certs[0]
	for _, key := range keys {
		id, err := msp.NewSigningIdentity(mspID, cert.content, key.content)
		if err == nil {
			return &signer{SigningIdentity: id, cert: cert, key: key}, nil
		}
		passedOver = append(passedOver, fmt.Errorf("%s with %s: %w", cert.path, key.path, err))
	}
	return nil, withReasons(passedOver, "no private key in %s signs for certificate %s", keystore, cert.path)
}

func withReasons(reasons []error, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if len(reasons) == 0 {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, errors.Join(reasons...))
}

// CheckExpiry returns an error if the certificate of id is not valid any more
// at the time now (spec 7.6).
func CheckExpiry(id msp.Identity, now time.Time) error {
	if expires := id.ExpiresAt(); !expires.IsZero() && !expires.After(now) {
		return fmt.Errorf("signing identity expired %v ago", now.Sub(expires))
	}
	return nil
}

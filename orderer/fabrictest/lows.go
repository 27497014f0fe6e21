package fabrictest

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// LowerCAs rewrites the root certificates below dir with the low-S form of their
// signatures and returns what became of them, by their former content. The
// cryptogen of 2.x makes roots with high-S signatures, and an orderer of 1.4 that
// is built with a current Go refuses a network that has them.
func LowerCAs(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	changed := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".pem", ".crt"}, filepath.Ext(path)) {
			return err
		}
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		low, err := lowerRoot(old)
		if err != nil || low == nil {
			return err
		}
		changed[string(old)] = low
		return os.WriteFile(path, low, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// lowerRoot returns the low-S form of a root certificate, nil if there is
// nothing to change.
func lowerRoot(text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !cert.IsCA || cert.CheckSignatureFrom(cert) != nil {
		return nil, nil
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(cert.Signature, &sig); err != nil {
		return nil, err
	}
	order := key.Params().N
	if sig.S.Cmp(new(big.Int).Rsh(order, 1)) <= 0 {
		return nil, nil
	}
	sig.S.Sub(order, sig.S)
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.Raw, &outer); err != nil {
		return nil, err
	}
	if outer.Signature.Bytes, err = asn1.Marshal(sig); err != nil {
		return nil, err
	}
	outer.Signature.BitLength = 8 * len(outer.Signature.Bytes)
	der, err := asn1.Marshal(outer)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

package cryptogen

import (
	"archive/tar"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyOf14 is how cryptogen 1.4 names a private key: by its SKI.
var keyOf14 = regexp.MustCompile(`[0-9a-f]{64}_sk$`)

// describe returns, for each path of a crypto-config folder, everything about
// it that does not depend on clock and randomness.
func describe(t *testing.T, root string) map[string]string {
	t.Helper()
	skis := map[string]string{}
	each := func(do func(rel string, data []byte, info fs.FileInfo)) {
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, path)
			rel = keyOf14.ReplaceAllString(rel, "priv_sk")
			var data []byte
			if !d.IsDir() {
				if data, err = os.ReadFile(path); err != nil {
					return err
				}
			}
			do(filepath.ToSlash(rel), data, info)
			return nil
		}))
	}
	each(func(rel string, data []byte, _ fs.FileInfo) {
		if strings.HasSuffix(rel, "-cert.pem") && (strings.Contains(rel, "/ca/") || strings.Contains(rel, "/tlsca/")) {
			c, err := parseCert(data)
			require.NoError(t, err)
			skis[string(c.SubjectKeyId)] = c.Subject.CommonName
		}
	})
	out := map[string]string{}
	each(func(rel string, data []byte, info fs.FileInfo) {
		switch {
		case info.IsDir():
			out[rel] = fmt.Sprintf("folder %v", info.Mode().Perm())
		case strings.HasSuffix(rel, ".yaml"):
			out[rel] = string(data)
		case strings.HasSuffix(rel, "_sk"), strings.HasSuffix(rel, ".key"):
			out[rel] = fmt.Sprintf("%v %s", info.Mode().Perm(), describeKey(t, data))
		default:
			out[rel] = fmt.Sprintf("%v %s", info.Mode().Perm(), describeCert(t, data, skis))
		}
	})
	return out
}

func describeKey(t *testing.T, data []byte) string {
	block, rest := pem.Decode(data)
	require.NotNil(t, block)
	require.Empty(t, rest)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	ec, ok := key.(*ecdsa.PrivateKey)
	require.True(t, ok)
	return block.Type + " " + ec.Params().Name
}

func describeCert(t *testing.T, data []byte, skis map[string]string) string {
	c, err := parseCert(data)
	require.NoError(t, err)
	pub, ok := c.PublicKey.(*ecdsa.PublicKey)
	require.True(t, ok)
	require.Equal(t, elliptic.P256(), pub.Curve)
	require.LessOrEqual(t, c.SerialNumber.BitLen(), 128)
	if c.IsCA {
		id, err := keyID(pub)
		require.NoError(t, err)
		require.Equal(t, id, c.SubjectKeyId)
	}
	var exts []string
	for _, e := range c.Extensions {
		exts = append(exts, fmt.Sprintf("%v/%v", e.Id, e.Critical))
	}
	return fmt.Sprintf("v%d %v subject=%x %v issuer=%v ca=%v/%d ku=%b eku=%v dns=%v ip=%v aki=%s seconds=%d valid=%v ext=%v",
		c.Version, c.SignatureAlgorithm, c.RawSubject, c.Subject, c.Issuer, c.IsCA, c.MaxPathLen, c.KeyUsage, c.ExtKeyUsage,
		c.DNSNames, c.IPAddresses, skis[string(c.AuthorityKeyId)], c.NotBefore.Second(), c.NotAfter.Sub(c.NotBefore), exts)
}

// unpack extracts a tar.gz and returns the folder crypto-config in it.
func unpack(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, "crypto-config")
		}
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data, fs.FileMode(h.Mode).Perm()))
	}
}

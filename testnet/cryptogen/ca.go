package cryptogen

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"
)

// validity of every certificate, from five minutes ago.
const (
	validity = 3650 * 24 * time.Hour
	backdate = 5 * time.Minute
)

// issuer makes keys and certificates with the given clock and source of randomness.
type issuer struct {
	now  func() time.Time
	rand io.Reader
}

// ca is a certificate authority.
type ca struct {
	name string // common name
	spec NodeSpec
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newKey makes a P-256 key.
func (is issuer) newKey() (*ecdsa.PrivateKey, error) {
	curve := elliptic.P256()
	for range 128 {
		raw := make([]byte, 32)
		if _, err := io.ReadFull(is.rand, raw); err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		// A number outside the curve's order is refused; the next one fits.
		if key, err := ecdsa.ParseRawPrivateKey(curve, raw); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("making a key: the source of randomness gives no usable number")
}

// newCA makes a self-signed authority of the organization domain.
func (is issuer) newCA(domain, name string, spec NodeSpec) (*ca, error) {
	key, err := is.newKey()
	if err != nil {
		return nil, err
	}
	t, err := is.template()
	if err != nil {
		return nil, err
	}
	t.IsCA = true
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	t.Subject = subject(spec)
	t.Subject.Organization = []string{domain}
	t.Subject.CommonName = name
	if t.SubjectKeyId, err = keyID(&key.PublicKey); err != nil {
		return nil, err
	}
	cert, err := create(t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &ca{name: name, spec: spec, cert: cert, key: key}, nil
}

// identity issues a signing certificate; unit is its organizational unit, "" for none.
func (is issuer) identity(c *ca, name string, unit role) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	return is.issue(c, func(t *x509.Certificate) {
		t.Subject.CommonName = name
		if unit != "" {
			t.Subject.OrganizationalUnit = append(t.Subject.OrganizationalUnit, string(unit))
		}
		t.KeyUsage = x509.KeyUsageDigitalSignature
	})
}

// tls issues a certificate that serves as server and client certificate.
func (is issuer) tls(c *ca, name string, sans []string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	return is.issue(c, func(t *x509.Certificate) {
		t.Subject.CommonName = name
		t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		for _, san := range sans {
			if ip := net.ParseIP(san); ip != nil {
				t.IPAddresses = append(t.IPAddresses, ip)
			} else {
				t.DNSNames = append(t.DNSNames, san)
			}
		}
	})
}

func (is issuer) issue(c *ca, edit func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := is.newKey()
	if err != nil {
		return nil, nil, err
	}
	t, err := is.template()
	if err != nil {
		return nil, nil, err
	}
	t.Subject = subject(c.spec)
	edit(t)
	cert, err := create(t, c.cert, &key.PublicKey, c.key)
	if err != nil {
		return nil, nil, err
	}
	return cert, key, nil
}

func (is issuer) template() (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(is.rand, serial); err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	serial[15] |= 1 // a serial number must be positive
	from := is.now().Round(time.Minute).Add(-backdate).UTC()
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial),
		NotBefore:             from,
		NotAfter:              from.Add(validity),
		BasicConstraintsValid: true,
	}, nil
}

func create(t, parent *x509.Certificate, pub *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(nil, t, parent, pub, lowS{key})
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", t.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

func subject(s NodeSpec) pkix.Name {
	n := pkix.Name{
		Country:  []string{or(s.Country, "US")},
		Province: []string{or(s.Province, "California")},
		Locality: []string{or(s.Locality, "San Francisco")},
	}
	if s.OrganizationalUnit != "" {
		n.OrganizationalUnit = []string{s.OrganizationalUnit}
	}
	if s.StreetAddress != "" {
		n.StreetAddress = []string{s.StreetAddress}
	}
	if s.PostalCode != "" {
		n.PostalCode = []string{s.PostalCode}
	}
	return n
}

// keyID is the SHA-256 of the public key's point.
func keyID(pub *ecdsa.PublicKey) ([]byte, error) {
	point, err := pub.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding a public key: %w", err)
	}
	sum := sha256.Sum256(point)
	return sum[:], nil
}

// lowS signs deterministically (RFC 6979) and returns signatures whose S is in
// the lower half of the order, as Fabric's MSP wants them.
type lowS struct{ key *ecdsa.PrivateKey }

func (s lowS) Public() crypto.PublicKey { return &s.key.PublicKey }

func (s lowS) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	der, err := s.key.Sign(nil, digest, opts)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	order := s.key.Params().N
	if sig.S.Cmp(new(big.Int).Rsh(order, 1)) <= 0 {
		return der, nil
	}
	sig.S.Sub(order, sig.S)
	return asn1.Marshal(sig)
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keyPEM(k *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

package server

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"

	"go.uber.org/zap"
)

const oneWeek = 7 * 24 * time.Hour

// trackExpiration logs when a certificate ends, and warns in the week before
// (appendix D, 9). It never stops the process. The returned function ends the
// tracking.
func trackExpiration(role string, notAfter, now time.Time, log *zap.SugaredLogger) (stop func()) {
	stop = func() {}
	if notAfter.IsZero() {
		return stop
	}
	left := notAfter.Sub(now)
	if left < 0 {
		log.Warnf("The %s certificate has expired", role)
		return stop
	}
	log.Infof("The %s certificate will expire on %s", role, notAfter)
	if left < oneWeek {
		days := left / (24 * time.Hour)
		log.Warnf("The %s certificate expires within %d days and %d hours", role, days, (left-days*24*time.Hour)/time.Hour)
		return stop
	}
	timer := time.AfterFunc(left-oneWeek, func() {
		log.Warnf("The %s certificate will expire within one week", role)
	})
	return func() { timer.Stop() }
}

// notAfter returns the end of the first certificate in PEM bytes, or zero.
func notAfter(certPEM []byte) time.Time {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return time.Time{}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
}

// trackCertificates follows the node's own certificates until the run ends.
func (n *node) trackCertificates() error {
	log, now := n.options.Logging.Logger("certmonitor"), time.Now()
	n.onCleanup(trackExpiration("enrollment", n.signer.ExpiresAt(), now, log))
	if t := n.conf.General.TLS; t.Enabled {
		cert, err := os.ReadFile(t.Certificate)
		if err != nil {
			return err
		}
		n.onCleanup(trackExpiration("server TLS", notAfter(cert), now, log))
	}
	if n.cluster == nil {
		return nil
	}
	if der := n.cluster.client.CertificateDER(); der != nil {
		if cert, err := x509.ParseCertificate(der); err == nil {
			n.onCleanup(trackExpiration("client TLS", cert.NotAfter, now, log))
		}
	}
	return nil
}

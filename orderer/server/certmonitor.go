package server

import (
	"crypto/x509"
	"encoding/pem"
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

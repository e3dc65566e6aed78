package osb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// tlsConfig is the TLS side of c.
func (c Config) tlsConfig() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.InsecureSkipTLSVerify} //nolint:gosec // the user's explicit choice
	if c.ClientCertificate != nil {
		t.Certificates = []tls.Certificate{*c.ClientCertificate}
	}
	if len(c.CABundle) == 0 {
		return t, nil
	}
	if c.InsecureSkipTLSVerify {
		return nil, errors.New("a CA bundle and skipped TLS verification exclude each other; choose one")
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(c.CABundle) {
		return nil, errors.New("CA bundle holds no PEM certificate")
	}
	return t, nil
}

// refusesCertificate says whether the broker's TLS ended the connection over our
// client certificate. RFC 8446, 6.2, has these alerts for a certificate that is
// missing or not good enough; package tls keeps its type of a received alert to
// itself, so they are known by the text that it has for them.
func refusesCertificate(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return false
	}
	for _, alert := range [...]tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116} {
		if op.Err.Error() == alert.Error() {
			return true
		}
	}
	return false
}

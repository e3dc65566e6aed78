package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// authority is a CA: its certificate and, unless it was lost, its key.
type authority struct {
	cert   *x509.Certificate
	key    crypto.Signer
	keyPEM []byte
}

// canSign says whether certificates signed by a at this instant would be trusted. It is false for
// no authority at all.
func (a *authority) canSign(now time.Time) bool {
	return a != nil && a.key != nil && !now.Before(a.cert.NotBefore) && !expired(a.cert, now)
}

// leaf is a serving certificate with its key, as stored.
type leaf struct {
	cert            *x509.Certificate
	certPEM, keyPEM []byte
}

// newAuthority makes a CA. Its validity begins no later than that of the CAs it succeeds: should the
// leader's clock run ahead, even by months, API servers with a right clock accept it all the same.
func newAuthority(now time.Time, predecessors []*x509.Certificate, cfg Config) (*authority, error) {
	notBefore := now.Add(-cfg.ClockSkew)
	for _, crt := range predecessors {
		if crt.NotBefore.Before(notBefore) {
			notBefore = crt.NotBefore
		}
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "service-catalog webhook CA"},
		NotBefore:             notBefore,
		NotAfter:              now.Add(cfg.CALifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	crt, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	return &authority{cert: crt, key: key, keyPEM: keyPEM}, nil
}

// newLeaf makes a serving certificate signed by ca. It is valid since its CA is, for the same reason
// as in newAuthority, and never longer than its CA.
func newLeaf(now time.Time, ca *authority, cfg Config) (*leaf, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "service-catalog webhook"},
		DNSNames:              dnsNames(cfg.Service, cfg.Namespace),
		NotBefore:             ca.cert.NotBefore,
		NotAfter:              leafEnd(now, ca.cert, cfg),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	crt, err := sign(template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("make serving certificate: %w", err)
	}
	return &leaf{cert: crt, certPEM: encodeCertificates(crt), keyPEM: keyPEM}, nil
}

// leafEnd is when a certificate signed now by ca would end.
func leafEnd(now time.Time, ca *x509.Certificate, cfg Config) time.Time {
	if end := now.Add(cfg.LeafLifetime); end.Before(ca.NotAfter) {
		return end
	}
	return ca.NotAfter
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make private key: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode private key: %w", err)
	}
	return key, keyPEM, nil
}

// sign makes a certificate with a random serial number.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// parseCertificates returns the certificates in PEM data. Unlike client-go's ParseCertsPEM it keeps
// the good ones among damaged ones, and says in whole whether there was nothing else.
func parseCertificates(data []byte) (certs []*x509.Certificate, whole bool) {
	whole = true
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			return certs, whole && len(certs) > 0
		}
		crt, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != cert.CertificateBlockType {
			whole = false
			continue
		}
		certs = append(certs, crt)
	}
}

func encodeCertificates(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, crt := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: crt.Raw})...)
	}
	return out
}

// expired looks at the end alone: a certificate that begins later may be right for a better clock.
func expired(crt *x509.Certificate, now time.Time) bool { return now.After(crt.NotAfter) }

// renewalTime is when a certificate of this lifetime enters its last third.
func renewalTime(crt *x509.Certificate, lifetime time.Duration) time.Time {
	return crt.NotAfter.Add(-lifetime / renewalPart)
}

// contains compares certificates by their bytes.
func contains(certs []*x509.Certificate, crt *x509.Certificate) bool {
	for _, c := range certs {
		if c.Equal(crt) {
			return true
		}
	}
	return false
}

// fingerprint names a certificate in logs and events: the first 12 hex digits of its SHA-256.
func fingerprint(crt *x509.Certificate) string {
	sum := sha256.Sum256(crt.Raw)
	return hex.EncodeToString(sum[:6])
}

package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/keyutil"
)

// Keys of the Secret. tls.crt is always signed by ca.crt.
const (
	// CACertKey holds the certificate of the CA in force.
	CACertKey = "ca.crt"
	// CAKeyKey holds its private key.
	CAKeyKey = "ca.key"
	// NextCACertKey holds the next CA's certificate while it is being introduced.
	NextCACertKey = "ca-next.crt"
	// NextCAKeyKey holds its private key.
	NextCAKeyKey = "ca-next.key"
	// PreviousCACertKey holds former CAs that are trusted until their overlap ends. Their keys are
	// gone.
	PreviousCACertKey = "ca-previous.crt"
)

// Marks on the Secret.
const (
	// OwnedLabel marks the Secret as made by a Manager. Without it, a Secret is never written.
	OwnedLabel = "servicecatalog.k8s.io/serving-certificate"
	// OwnedValue is the value of OwnedLabel.
	OwnedValue = "self-managed"
	// SwitchedAnnotation says since when the former CAs sign nothing that is in the Secret, in
	// RFC 3339.
	SwitchedAnnotation = "servicecatalog.k8s.io/ca-switched-at"
)

// contents is what the Secret means.
type contents struct {
	active   *authority // nil if there is no CA certificate to be read
	next     *authority
	previous []*x509.Certificate
	leaf     *leaf // nil if it is missing, or certificate and key are not a pair

	// switchedAt is since when previous sign nothing that is in the Secret; zero if not known.
	switchedAt time.Time

	// flaws say in words what was there but unusable. It never quotes the data.
	flaws []string
}

// known are all CAs the Secret holds, in the order in which they are published.
func (c contents) known() []*x509.Certificate {
	var certs []*x509.Certificate
	if c.active != nil {
		certs = append(certs, c.active.cert)
	}
	if c.next != nil {
		certs = append(certs, c.next.cert)
	}
	return append(certs, c.previous...)
}

func (c *contents) flaw(format string, args ...any) {
	c.flaws = append(c.flaws, fmt.Sprintf(format, args...))
}

// parseContents never fails: what cannot be used becomes a flaw.
func parseContents(secret *corev1.Secret) contents {
	var c contents
	c.active = c.parseAuthority(secret.Data, CACertKey, CAKeyKey)
	c.next = c.parseAuthority(secret.Data, NextCACertKey, NextCAKeyKey)
	if data := secret.Data[PreviousCACertKey]; len(data) > 0 {
		certs, whole := parseCertificates(data)
		if !whole {
			c.flaw("%s holds something other than certificates", PreviousCACertKey)
		}
		c.previous = certs
	}
	c.leaf = c.parseLeaf(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	c.switchedAt = c.parseTime(secret.Annotations, SwitchedAnnotation)
	return c
}

func (c *contents) parseAuthority(data map[string][]byte, certKey, keyKey string) *authority {
	if len(data[certKey]) == 0 {
		if len(data[keyKey]) > 0 {
			c.flaw("%s has no %s", keyKey, certKey)
		}
		return nil
	}
	certs, whole := parseCertificates(data[certKey])
	if !whole || len(certs) != 1 || !certs[0].IsCA {
		c.flaw("%s is not exactly one CA certificate", certKey)
	}
	if len(certs) == 0 || !certs[0].IsCA {
		return nil
	}
	a := &authority{cert: certs[0]}
	if len(data[keyKey]) == 0 {
		return a // a lost key is no flaw to clean up; plan replaces the CA
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(data[keyKey])
	key, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		c.flaw("%s is not a private key", keyKey)
		return a
	}
	if !samePublicKey(key.Public(), a.cert.PublicKey) {
		c.flaw("%s does not belong to %s", keyKey, certKey)
		return a
	}
	a.key, a.keyPEM = key, data[keyKey]
	return a
}

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

func (c *contents) parseLeaf(certPEM, keyPEM []byte) *leaf {
	if len(certPEM) == 0 && len(keyPEM) == 0 {
		return nil
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		c.flaw("%s and %s are not a pair", corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
		return nil
	}
	return &leaf{cert: pair.Leaf, certPEM: certPEM, keyPEM: keyPEM}
}

func (c *contents) parseTime(annotations map[string]string, name string) time.Time {
	value, ok := annotations[name]
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		c.flaw("annotation %s is not a time", name)
		return time.Time{}
	}
	return t
}

// store writes c into secret and leaves alone whatever is not ours there.
func (c *contents) store(secret *corev1.Secret) {
	metav1.SetMetaDataLabel(&secret.ObjectMeta, OwnedLabel, OwnedValue)
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	storeAuthority(secret.Data, c.active, CACertKey, CAKeyKey)
	storeAuthority(secret.Data, c.next, NextCACertKey, NextCAKeyKey)
	set(secret.Data, PreviousCACertKey, encodeCertificates(c.previous...))
	// Secrets of type kubernetes.io/tls must have these two keys, so a missing pair is stored empty.
	secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = []byte{}, []byte{}
	if c.leaf != nil {
		secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = c.leaf.certPEM, c.leaf.keyPEM
	}
	storeTime(secret, SwitchedAnnotation, c.switchedAt)
}

func storeAuthority(data map[string][]byte, a *authority, certKey, keyKey string) {
	var certPEM, keyPEM []byte
	if a != nil {
		certPEM, keyPEM = encodeCertificates(a.cert), a.keyPEM
	}
	set(data, certKey, certPEM)
	set(data, keyKey, keyPEM)
}

func set(data map[string][]byte, key string, value []byte) {
	if len(value) == 0 {
		delete(data, key)
		return
	}
	data[key] = value
}

func storeTime(secret *corev1.Secret, annotation string, t time.Time) {
	if t.IsZero() {
		delete(secret.Annotations, annotation)
		return
	}
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, annotation, t.UTC().Format(time.RFC3339Nano))
}

package controllers

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// Clients keeps one OSB client for each broker, so that connections are used
// again, and makes a new one when the broker's registration or Secret changes.
type Clients struct {
	// Reader reads Secrets, live.
	Reader client.Reader
	// Timeout of one request where the broker's registration names none.
	Timeout time.Duration
	// Addresses says where brokers may be.
	Addresses osb.AddressGuard
	// Observers make what is told of each call to a broker.
	Observers []func(broker) osb.Observer

	mu     sync.Mutex
	byName map[string]pooledClient
}

type pooledClient struct {
	token  string
	client *osb.Client
}

// authError says that a broker's Secret cannot be used.
type authError struct{ sentence string }

func (e *authError) Error() string { return e.sentence }

// get returns the client of a broker and a token: a digest of everything that
// the client was made from, without telling it.
func (c *Clients) get(ctx context.Context, b broker) (*osb.Client, string, error) {
	secrets := map[types.NamespacedName]*corev1.Secret{}
	for _, use := range b.secrets() {
		s := &corev1.Secret{}
		if err := c.Reader.Get(ctx, use.NamespacedName, s); client.IgnoreNotFound(err) != nil {
			return nil, "", fmt.Errorf("read Secret %q of broker %q: %w", use.NamespacedName, b.GetName(), err)
		} else if err == nil {
			secrets[use.NamespacedName] = s
		}
	}
	token := tokenOf(b, secrets)
	key := b.kind + "/" + b.GetNamespace() + "/" + b.GetName()
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.byName[key]; ok && p.token == token {
		return p.client, token, nil
	}
	made, err := c.make(b, secrets)
	if err != nil {
		return nil, token, err
	}
	if p, ok := c.byName[key]; ok {
		p.client.Close()
	}
	if c.byName == nil {
		c.byName = map[string]pooledClient{}
	}
	c.byName[key] = pooledClient{token, made}
	return made, token, nil
}

// last is the client that was used for a broker last; nil if there was none since
// this process began.
func (c *Clients) last(b broker) *osb.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byName[b.kind+"/"+b.GetNamespace()+"/"+b.GetName()].client
}

// forget closes the client of a broker that is gone.
func (c *Clients) forget(b broker) {
	key := b.kind + "/" + b.GetNamespace() + "/" + b.GetName()
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.byName[key]; ok {
		p.client.Close()
		delete(c.byName, key)
	}
}

// tokenOf is a digest of how a broker is reached. It names Secrets by their
// version, so it tells nothing of their content.
func tokenOf(b broker, secrets map[types.NamespacedName]*corev1.Secret) string {
	h := sha256.New()
	spec := *b.spec
	spec.RelistBehavior, spec.RelistDuration, spec.RelistRequests, spec.CatalogRestrictions = "", nil, 0, nil
	_ = json.NewEncoder(h).Encode(spec) // a hash takes all, and the type has only plain fields
	for _, use := range b.secrets() {
		version := "missing"
		if s := secrets[use.NamespacedName]; s != nil {
			version = string(s.UID) + "/" + s.ResourceVersion
		}
		fmt.Fprintf(h, "%s %t %s\n", use.NamespacedName, use.bearer, version)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (c *Clients) make(b broker, secrets map[types.NamespacedName]*corev1.Secret) (*osb.Client, error) {
	cfg := osb.Config{
		URL: b.spec.URL, CABundle: b.spec.CABundle, InsecureSkipTLSVerify: b.spec.InsecureSkipTLSVerify,
		Timeout: c.Timeout, Platform: osb.PlatformKubernetes, DialGuard: c.guard,
	}
	var told []osb.Observer
	for _, observer := range c.Observers {
		told = append(told, observer(b))
	}
	cfg.Observer = func(ctx context.Context, o osb.Observation) {
		for _, tell := range told {
			tell(ctx, o)
		}
	}
	if o := b.spec.OSB; o != nil {
		cfg.APIVersion = o.APIVersion
		cfg.OmitIdentity = o.OriginatingIdentity == v1beta1.Disabled
		if o.Timeout != nil && o.Timeout.Duration > 0 {
			cfg.Timeout = o.Timeout.Duration
		}
	}
	var err error
	if cfg.Auth, err = authOf(b, secrets); err != nil {
		return nil, err
	}
	if cfg.ClientCertificate, err = certificateOf(b, secrets); err != nil {
		return nil, err
	}
	made, err := osb.NewClient(cfg)
	if err != nil {
		return nil, &authError{fmt.Sprintf("The broker's registration cannot be used: %s. Correct its spec.", err)}
	}
	return made, nil
}

// guard says which addresses may be dialed, and to whom loopback is refused, how
// it is allowed: on a single machine that is most often what is wanted.
func (c *Clients) guard(addr netip.AddrPort) error {
	err := c.Addresses.Check(addr)
	if errors.Is(err, osb.ErrLoopback) {
		return fmt.Errorf("%w, which the controllers refuse unless they run with --allow-loopback-brokers", err)
	}
	return err
}

func authOf(b broker, secrets map[types.NamespacedName]*corev1.Secret) (osb.Auth, error) {
	use := b.authSecret()
	if use == nil {
		return osb.Auth{}, nil
	}
	s := secrets[use.NamespacedName]
	if s == nil {
		return osb.Auth{}, missing(use, "spec.authInfo")
	}
	if use.bearer {
		if len(s.Data[v1beta1.BearerTokenKey]) == 0 {
			return osb.Auth{}, lacks(use, v1beta1.BearerTokenKey)
		}
		return osb.BearerAuth(string(s.Data[v1beta1.BearerTokenKey])), nil
	}
	for _, key := range []string{v1beta1.BasicAuthUsernameKey, v1beta1.BasicAuthPasswordKey} {
		if _, ok := s.Data[key]; !ok {
			return osb.Auth{}, lacks(use, key)
		}
	}
	return osb.BasicAuth(string(s.Data[v1beta1.BasicAuthUsernameKey]), string(s.Data[v1beta1.BasicAuthPasswordKey])), nil
}

func certificateOf(b broker, secrets map[types.NamespacedName]*corev1.Secret) (*tls.Certificate, error) {
	use := b.certificateSecret()
	if use == nil {
		return nil, nil
	}
	s := secrets[use.NamespacedName]
	if s == nil {
		return nil, missing(use, "spec.clientCertificate")
	}
	pair, err := tls.X509KeyPair(s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		// The error of a key pair may quote what it could not read.
		return nil, &authError{fmt.Sprintf("Secret %q holds no usable key pair in %s and %s; store one that fits together.", use.NamespacedName, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)}
	}
	return &pair, nil
}

func missing(use *secretUse, field string) error {
	return &authError{fmt.Sprintf("Secret %q, which %s names, does not exist; create it, and the broker is asked at once.", use.NamespacedName, field)}
}

func lacks(use *secretUse, key string) error {
	return &authError{fmt.Sprintf("Secret %q has no key %q; add it, and the broker is asked at once.", use.NamespacedName, key)}
}

// authSentence is the sentence of an error of get that the platform team can
// mend, or "".
func authSentence(err error) string {
	var e *authError
	if errors.As(err, &e) {
		return e.sentence
	}
	return ""
}

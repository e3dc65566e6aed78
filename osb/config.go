package osb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultAPIVersion      = "2.17"
	DefaultTimeout         = 60 * time.Second // the typical value of the spec (P14)
	DefaultMaxCatalogBytes = 32 << 20
	DefaultMaxBodyBytes    = 2 << 20
	DefaultUserAgent       = "svc-cat-osb/1"
)

// Config is what a Client needs to know of a broker. Only URL is required.
type Config struct {
	// URL is the broker's base: http or https, a path is kept, a query, a
	// fragment and user:password@ are refused.
	URL string
	// Auth is BasicAuth, BearerAuth or the zero value for none.
	Auth Auth
	// CABundle is PEM; if set, only these CAs are trusted, else the system's.
	CABundle []byte
	// ClientCertificate is presented to brokers that ask for one (mutual TLS).
	ClientCertificate *tls.Certificate
	// InsecureSkipTLSVerify trusts any certificate. Not together with CABundle.
	InsecureSkipTLSVerify bool
	// APIVersion is sent as X-Broker-API-Version (P1).
	APIVersion string
	// Timeout bounds one call, from dialing to the last byte of the answer.
	Timeout time.Duration
	// Platform is the token of the originating identity header (P5).
	Platform string
	// OmitIdentity never sends the originating identity, for proxies that
	// refuse large headers.
	OmitIdentity bool
	UserAgent    string
	// MaxCatalogBytes and MaxBodyBytes bound a catalog and any other body, the
	// request's as well as the answer's.
	MaxCatalogBytes int64
	MaxBodyBytes    int64
	// DialGuard is asked, after DNS, about each address that is about to be
	// dialed: AddressGuard.Check, or a rule of your own. Its error refuses the
	// address and becomes KindAddressRefused. Link-local addresses and those of
	// metadata services are refused in any case. Nil refuses no other.
	DialGuard func(netip.AddrPort) error
	// Observer is told of each call when it is over. It must not block.
	Observer Observer
	// NewRequestID makes the request identity of a call (P7); nil means a random UUID.
	NewRequestID func() string
	// Now is the clock for dates in Retry-After; nil means time.Now.
	Now func() time.Time

	resolver *net.Resolver // set by tests
}

// Observer is told of each call that is over, for metrics and traces.
type Observer func(ctx context.Context, o Observation)

// Observation is one call in numbers. It holds no id and no secret.
type Observation struct {
	Operation Operation
	// StatusCode is 0 if no answer was read.
	StatusCode int
	// Kind is empty on success.
	Kind Kind
	// RetryAfter is how long the broker asked to wait after a failure.
	RetryAfter time.Duration
	Duration   time.Duration
	RequestID  string
}

// withDefaults fills in what is unset and refuses what cannot work. No error
// repeats a value that may hold a secret.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.APIVersion, DefaultAPIVersion)
	setDefault(&c.Timeout, DefaultTimeout)
	setDefault(&c.Platform, PlatformKubernetes)
	setDefault(&c.UserAgent, DefaultUserAgent)
	setDefault(&c.MaxCatalogBytes, DefaultMaxCatalogBytes)
	setDefault(&c.MaxBodyBytes, DefaultMaxBodyBytes)
	if c.NewRequestID == nil {
		c.NewRequestID = randomUUID
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for name, v := range map[string]string{"API version": c.APIVersion, "platform": c.Platform, "user agent": c.UserAgent} {
		if hasControl(v) {
			return c, fmt.Errorf("broker %s holds control characters", name)
		}
	}
	if strings.ContainsRune(c.Platform, ' ') {
		return c, errors.New("platform name holds a space")
	}
	return c, c.Auth.validate()
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// baseURL checks a broker URL and returns it without trailing slashes.
func baseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", errors.New("broker URL cannot be parsed") // url.Error repeats it, with its password
	case u.User != nil:
		return "", errors.New("broker URL holds a user or password; give them as authentication")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("broker URL must begin with http:// or https://")
	case u.Hostname() == "":
		return "", errors.New("broker URL has no host")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("broker URL must have no query and no fragment")
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

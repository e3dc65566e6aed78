package osb

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	errInvalid  = errors.New("invalid request")
	errTooLarge = errors.New("body is too large")
)

// guardError marks an address that was refused.
type guardError struct{ err error }

func (g *guardError) Error() string { return g.err.Error() }
func (g *guardError) Unwrap() error { return g.err }

// named is a field or query parameter; order is kept, so that a request always looks the same.
type named struct{ name, value string }

// call is one request in the making.
type call struct {
	op, polled   Operation
	method, path string
	ids          []named // go into the path
	required     []named
	query        []named // left out where empty
	header       http.Header
	identity     *Identity
	in, out      any
}

func newTransport(cfg Config) (*http.Transport, error) {
	tlsConfig, err := cfg.tlsConfig()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, Resolver: cfg.resolver}
	// Asked after DNS, for each address that a name stands for.
	dialer.Control = func(_, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err == nil {
			err = checkAlways(addr)
		}
		if err == nil && cfg.DialGuard != nil {
			err = cfg.DialGuard(netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
		}
		if err != nil {
			return &guardError{err}
		}
		return nil
	}
	return &http.Transport{
		Proxy:                  nil, // an environment variable must not reroute credentials
		DialContext:            dialer.DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    15 * time.Second,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}, nil
}

func instancePath(iid string) string { return "/v2/service_instances/" + escape(iid) }

func bindingPath(iid, bid string) string {
	return instancePath(iid) + "/service_bindings/" + escape(bid)
}

// escape percent-encodes all but the unreserved characters of RFC 3986, for
// paths and queries alike (P9, P42).
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func acceptsIncomplete(yes bool) []named {
	if !yes {
		return nil
	}
	return []named{{"accepts_incomplete", "true"}}
}

// do makes one call and reads its answer into call.out. The Answer is whole
// when err is nil; err is always an *Error.
func (c *Client) do(ctx context.Context, r call) (Answer, error) {
	start, requestID := c.cfg.Now(), c.cfg.NewRequestID()
	a := Answer{Operation: r.op, Polled: r.polled, Conditional: len(r.header) > 0}
	c.exchange(ctx, r, requestID, &a)
	a.Now = c.cfg.Now()
	if a.Err == nil && a.succeeded() && a.StatusCode < 300 {
		a.Malformed = decode(a.Body, r.out)
		if a.Malformed == nil && a.StatusCode == http.StatusAccepted {
			a.Malformed = checkPromise(r.out)
		}
	}
	a.Malformed, a.Err = c.cleanError(a.Malformed), c.cleanError(a.Err)

	o := Observation{Operation: r.op, StatusCode: a.StatusCode, Duration: a.Now.Sub(start), RequestID: requestID}
	e := classify(a, c.clean)
	if e != nil {
		e.RequestID, o.Kind, o.RetryAfter = requestID, e.Kind, e.RetryAfter
	}
	if c.cfg.Observer != nil {
		c.cfg.Observer(ctx, o)
	}
	if e != nil {
		return a, e
	}
	return a, nil
}

// exchange sends r and fills in what came back. It notes whether the request
// may have left: from the moment a connection, TLS included, was there for it,
// unless it is known that the broker cannot have got the whole of it.
func (c *Client) exchange(ctx context.Context, r call, requestID string, a *Answer) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var sent, reused, cut atomic.Bool // the trace may run on a goroutine of the transport
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			sent.Store(true)
			reused.Store(i.Reused)
		},
		WroteRequest: func(i httptrace.WroteRequestInfo) { cut.Store(i.Err != nil) },
	})

	req, err := c.newRequest(ctx, r, requestID)
	if err != nil {
		a.Err = err
		return
	}
	resp, err := c.http.Do(req)
	a.Sent = sent.Load()
	if err != nil {
		a.Err = cause(ctx, err)
		switch {
		case refusesCertificate(err) && !reused.Load():
			a.Sent = false // TLS 1.3: we were first, and nobody read what we sent
		case cut.Load():
			a.Sent = false // without its last byte it is no JSON, and no broker acts on it
		}
		return
	}
	defer resp.Body.Close()
	a.StatusCode, a.Header = resp.StatusCode, resp.Header
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return // what follows is no answer, and our deadline would not end it
	}
	limit := c.cfg.MaxBodyBytes
	if r.op == OpCatalog {
		limit = c.cfg.MaxCatalogBytes
	}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		a.Err = cause(ctx, err)
	case int64(len(a.Body)) > limit:
		a.Body, a.Err = nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
}

// cause drops the URL from a transport error and, where our context ended the
// call, makes sure that the error says so.
func cause(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) {
		return fmt.Errorf("%w (%w)", ctxErr, err)
	}
	return err
}

func (c *Client) newRequest(ctx context.Context, r call, requestID string) (*http.Request, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	var body io.Reader
	if r.in != nil {
		raw, err := json.Marshal(r.in)
		if err != nil {
			return nil, fmt.Errorf("%w: parameters or context are no valid JSON", errInvalid)
		}
		if int64(len(raw)) > c.cfg.MaxBodyBytes {
			return nil, fmt.Errorf("%w: %w: more than %d bytes", errInvalid, errTooLarge, c.cfg.MaxBodyBytes)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path+r.rawQuery(), body)
	if err != nil {
		return nil, fmt.Errorf("%w: URL", errInvalid)
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	h := req.Header
	h.Set("User-Agent", c.cfg.UserAgent)
	h.Set("Accept", "application/json")
	h.Set("X-Broker-API-Version", c.cfg.APIVersion)
	h.Set("X-Broker-API-Request-Identity", requestID)
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	if c.cfg.Auth.header != "" {
		h.Set("Authorization", c.cfg.Auth.header)
	}
	if r.identity != nil && !c.cfg.OmitIdentity {
		h.Set("X-Broker-API-Originating-Identity", c.cfg.Platform+" "+encodeIdentity(*r.identity))
	}
	return req, nil
}

// check refuses what cannot be addressed or must not be left out.
func (r call) check() error {
	for _, id := range append(r.ids, r.required...) {
		if id.value == "" {
			return fmt.Errorf("%w: %s is empty", errInvalid, id.name)
		}
	}
	for _, id := range r.ids {
		// Servers resolve dot segments before they look at the path, encoded or not.
		if id.value == "." || id.value == ".." {
			return fmt.Errorf("%w: %s %q cannot stand in a path", errInvalid, id.name, id.value)
		}
	}
	return nil
}

func (r call) rawQuery() string {
	var b strings.Builder
	sep := byte('?')
	for _, q := range r.query {
		if q.value == "" {
			continue
		}
		b.WriteByte(sep)
		b.WriteString(q.name + "=" + escape(q.value))
		sep = '&'
	}
	return b.String()
}

// maxIdentityBytes keeps the header below the 8 kB at which proxies cut off.
const maxIdentityBytes = 7 << 10

// encodeIdentity is the header's second half. A user with very many groups
// keeps name and uid, which identify; first extra, then groups are dropped.
func encodeIdentity(id Identity) string {
	for _, shrink := range []func(){func() {}, func() { id.Extra = nil }, func() { id.Groups = nil }} {
		shrink()
		raw, err := json.Marshal(id)
		if err == nil && base64.StdEncoding.EncodedLen(len(raw)) <= maxIdentityBytes {
			return base64.StdEncoding.EncodeToString(raw)
		}
	}
	raw, _ := json.Marshal(id) // strings only: cannot fail
	return base64.StdEncoding.EncodeToString(raw)
}

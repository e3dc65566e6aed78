package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// probeTimeout bounds one look at a piece.
const probeTimeout = 2 * time.Second

// probe is one way to see that a piece works: a URL that answers 200, or a Unix
// socket that accepts.
type probe struct {
	URL    string `json:"url,omitempty"`
	Socket string `json:"socket,omitempty"`
}

func (p probe) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if p.Socket != "" {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", p.Socket)
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	// A fresh connection each time: a kept one would tell of the past. What
	// answers on this namespace's own loopback is a piece of ours, and some
	// serve certificates that they made up themselves.
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // As said above.
	}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return fmt.Errorf("probe answers %s: %s", resp.Status, body)
	}
	return nil
}

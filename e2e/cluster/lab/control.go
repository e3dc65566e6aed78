package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Report is the state of a running cluster.
type Report struct {
	// APIPort and PostgresPort are ports of the host's loopback.
	APIPort      int `json:"apiPort"`
	PostgresPort int `json:"postgresPort"`
	// Pieces are its processes in the order of their start.
	Pieces []PieceReport `json:"pieces"`
}

// stopPatience is how long a piece told to stop may take.
const stopPatience = 10 * time.Second

// PieceReport is the state of one process.
type PieceReport struct {
	Name string `json:"name"`
	// PID is the process inside its namespace, 0 while it does not run.
	PID int `json:"pid"`
	// Healthy is the answer of its probe, now.
	Healthy bool `json:"healthy"`
	// Detail says why not.
	Detail string `json:"detail,omitempty"`
	// Restarts counts how often it ended by itself, LastEnd says how.
	Restarts int    `json:"restarts"`
	LastEnd  string `json:"lastEnd,omitempty"`
	// HealthyAfter is when it was healthy first, since the cluster's start;
	// 0 when it never was.
	HealthyAfter time.Duration `json:"healthyAfter"`
	// Failed means that it keeps ending and was never healthy.
	Failed bool `json:"failed"`

	probe probe
}

// Healthy tells whether every piece is.
func (r Report) Healthy() bool {
	for _, p := range r.Pieces {
		if !p.Healthy {
			return false
		}
	}
	return len(r.Pieces) > 0
}

// supervising is what the control socket offers of the supervisor.
type supervising interface {
	report(ctx context.Context) Report
	add(p piece)
	remove(name string)
}

// controlHandler is the interface of the first process to the program outside.
func controlHandler(s supervising) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.report(r.Context()))
	})
	mux.HandleFunc("PUT /pieces/{name}", func(w http.ResponseWriter, r *http.Request) {
		var p piece
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.add(p)
	})
	mux.HandleFunc("DELETE /pieces/{name}", func(_ http.ResponseWriter, r *http.Request) {
		s.remove(r.PathValue("name"))
	})
	return mux
}

// controlTimeout bounds a call of the first process, which may be stopped. The
// longest thing it does is to wait for a piece to end.
const controlTimeout = stopPatience + 5*time.Second

// control calls the first process. A Unix socket is a file, so it is reached
// from outside the network namespace.
func (c *Cluster) control(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("ask the cluster: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://cluster"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the cluster: %w", err)
	}
	client := http.Client{Timeout: controlTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.layout.control())
		},
	}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the cluster: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("ask the cluster: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the cluster: %s: %s", resp.Status, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("ask the cluster: %w", err)
	}
	return nil
}

package osb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
)

// provider is a broker that takes its time: a provision has to be polled for.
func provider() http.Handler {
	polled := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/last_operation"):
			state := []string{"in progress", "succeeded"}[min(polled, 1)]
			polled++
			fmt.Fprintf(w, `{"state":%q}`, state)
		case strings.Contains(r.URL.Path, "/service_bindings/"):
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"credentials":{"uri":"postgres://db.example:5432/orders","port":5432}}`)
		default:
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"operation":"create-7"}`)
		}
	})
}

// From nothing to credentials: provision, poll, bind.
func Example() {
	server := httptest.NewServer(provider())
	defer server.Close()
	client, err := osb.NewClient(osb.Config{URL: server.URL, Auth: osb.BasicAuth("platform", "a-password"), Timeout: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // for all of it
	defer cancel()
	made, err := client.Provision(ctx, &osb.ProvisionRequest{
		InstanceID: "i-1", ServiceID: "db", PlanID: "small", OrganizationGUID: "cluster-1", SpaceGUID: "namespace-1",
		AcceptsIncomplete: true, Parameters: osb.RawJSON(`{"disk":"10Gi"}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for done := !made.Async; !done && ctx.Err() == nil; {
		last, err := client.LastOperation(ctx, &osb.LastOperationRequest{
			Polled: osb.OpProvision, InstanceID: "i-1", ServiceID: "db", PlanID: "small", Operation: made.Operation,
		})
		if err != nil {
			last = &osb.LastOperationResponse{State: osb.StateInProgress} // only the broker's clear word ends it
		}
		fmt.Println("provision:", last.State)
		done = last.State != osb.StateInProgress
		select {
		case <-time.After(max(last.RetryAfter, time.Millisecond)): // a real platform waits for seconds
		case <-ctx.Done():
		}
	}
	bound, err := client.Bind(ctx, &osb.BindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: "db", PlanID: "small"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("uri:", bound.Credentials["uri"])
	fmt.Println("in a log:", bound.Credentials)
	// Output:
	// provision: in progress
	// provision: succeeded
	// uri: postgres://db.example:5432/orders
	// in a log: credentials(2 keys)
}

// A broker's URL is given by somebody; where it may lead is for the platform to say.
func ExampleAddressGuard() {
	guard := osb.AddressGuard{Denied: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}}
	for _, url := range []string{"http://169.254.169.254", "http://[::ffff:10.96.0.1]", "http://localhost:9"} {
		client, err := osb.NewClient(osb.Config{URL: url, DialGuard: guard.Check})
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = client.GetCatalog(context.Background(), &osb.CatalogRequest{})
		fmt.Println(osb.IsKind(err, osb.KindAddressRefused))
	}
	// Output:
	// true
	// true
	// true
}

// What a platform does with an error: it never looks at a status code.
func ExampleError() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"error":"ConcurrencyError","description":"a backup is running"}`)
	}))
	defer server.Close()
	client, err := osb.NewClient(osb.Config{URL: server.URL, Auth: osb.BearerAuth("a-token")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	_, err = client.Bind(context.Background(), &osb.BindRequest{InstanceID: "i-1", BindingID: "b-1", ServiceID: "db", PlanID: "small"})
	var e *osb.Error
	if errors.As(err, &e) {
		fmt.Println(e)
		fmt.Println("kind:", e.Kind, "- move:", e.Actor(), "- again:", e.Retryable(), "in", e.RetryAfter)
		fmt.Println("clean up:", e.OrphanMitigation, "- unheard:", e.Lost)
		fmt.Println(e.Hint())
	}
	// Output:
	// bind: broker answered 422 ConcurrencyError: a backup is running
	// kind: Busy - move: Nobody - again: true in 20s
	// clean up: false - unheard: false
	// The broker is working on this resource; the request is sent again later.
}

package osb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/svc-cat/catalog/osb"
)

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

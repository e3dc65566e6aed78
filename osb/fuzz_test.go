package osb

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode feeds any bytes to every answer type. What is accepted must be
// one JSON object or null, in UTF-8, and must decode the same way twice.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `{"services":[{"id":"s","name":"n","plans":[{"id":"p","name":"n","schemas":{"service_instance":{"create":null}}}]}]}`,
		`{"state":"in progress"}`, `{"credentials":{"n":1e400},"metadata":{"expires_at":"2030-01-02T03:04:05Z"}}`, "\xef\xbb\xbf{}", `{} {}`, `[`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, fresh := range []func() any{
			func() any { return &wireCatalog{} }, func() any { return &ProvisionResponse{} }, func() any { return &GetInstanceResponse{} },
			func() any { return &UpdateResponse{} }, func() any { return &DeprovisionResponse{} }, func() any { return &LastOperationResponse{} },
			func() any { return &BindResponse{} }, func() any { return &GetBindingResponse{} }, func() any { return &UnbindResponse{} },
		} {
			out, again := fresh(), fresh()
			err := decode(body, out)
			if (decode(body, again) == nil) != (err == nil) || !reflect.DeepEqual(out, again) {
				t.Fatalf("%T: decoding is not repeatable", out)
			}
			if err != nil {
				continue
			}
			text := strings.TrimSpace(string(trimBOM(body)))
			if !utf8.ValidString(text) || !json.Valid([]byte(text)) || text[0] != '{' && text != "null" {
				t.Fatalf("%T took %q", out, text)
			}
			if w, ok := out.(*wireCatalog); ok {
				checkCatalog(t, w)
			}
		}
	})
}

// checkCatalog holds what users of a catalog rely on: ids are there and unique.
func checkCatalog(t *testing.T, w *wireCatalog) {
	t.Helper()
	c, _ := w.catalog()
	ids := map[string]bool{}
	for _, s := range c.Services {
		if s.ID == "" || s.Name == "" || ids["s"+s.ID] {
			t.Fatalf("service %+v", s)
		}
		ids["s"+s.ID] = true
		for _, p := range s.Plans {
			if p.ID == "" || p.Name == "" || ids["p"+p.ID] {
				t.Fatalf("plan %+v", p)
			}
			ids["p"+p.ID] = true
		}
	}
}

// FuzzClassify feeds any status, body and Retry-After to the classification.
func FuzzClassify(f *testing.F) {
	f.Add(422, []byte(`{"error":"ConcurrencyError","description":"x\u0000y"}`), "120", uint8(1))
	f.Add(410, []byte(`<html>`), "Wed, 02 Jan 2030 03:04:05 GMT", uint8(4))
	f.Add(500, []byte(`{"instance_usable":false}`), "-1", uint8(3))
	ops := []Operation{OpCatalog, OpProvision, OpGetInstance, OpUpdate, OpDeprovision, OpBind, OpGetBinding, OpUnbind, OpLastOperation}
	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter string, op uint8) {
		e := Classify(Answer{Operation: ops[int(op)%len(ops)], StatusCode: status, Body: body, Sent: true,
			Header: http.Header{"Retry-After": {retryAfter}}, Now: time.Unix(1900000000, 0)})
		if e == nil {
			if status >= 300 && status != http.StatusGone {
				t.Fatalf("status %d is success", status)
			}
			return
		}
		text := e.Error()
		switch {
		case e.Kind == "" || e.Actor() == "" || e.Hint() == "":
			t.Fatalf("%+v is not fully classified", e)
		case e.RetryAfter < 0 || e.RetryAfter > MaxRetryAfter:
			t.Fatalf("Retry-After %q became %s", retryAfter, e.RetryAfter)
		case len(e.Description) > maxText || len(e.Word) > maxText || hasControl(text) || !utf8.ValidString(text):
			t.Fatalf("text %q", text)
		case e.OrphanMitigation && status >= 400 && status < 500:
			t.Fatalf("a 4xx changed something")
		}
	})
}

// FuzzEscape checks that an id comes through a URL unchanged.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a b+c", "%2F", "ü/?#&=", "..a", "\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" || id == "." || id == ".." {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://h/base"+bindingPath(id, id)+"?q="+escape(id), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.URL.Path; got != "/base/v2/service_instances/"+id+"/service_bindings/"+id || r.URL.Query().Get("q") != id {
			t.Fatalf("%q became %q and %q", id, got, r.URL.Query().Get("q"))
		}
		if sent := r.URL.RequestURI(); strings.Trim(sent, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%/?=") != "" {
			t.Fatalf("%q goes over the wire as %q", id, sent)
		}
	})
}

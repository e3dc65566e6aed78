package osb

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// operations are all calls, for targets that choose one by number.
var operations = []Operation{OpCatalog, OpProvision, OpGetInstance, OpUpdate, OpDeprovision, OpBind, OpGetBinding, OpUnbind, OpLastOperation}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answered is a client whose broker gives one answer to everything; only the
// network is missing.
func answered(t *testing.T, status int, retryAfter string, body []byte) *Client {
	t.Helper()
	c, err := NewClient(Config{URL: "http://broker"})
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: io.NopCloser(bytes.NewReader(body))}, nil
	})
	return c
}

// checkTaken holds what must be true of a body that was taken for an answer.
func checkTaken(t *testing.T, body []byte) {
	t.Helper()
	text := strings.TrimSpace(string(trimBOM(body)))
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) || text[0] != '{' && text != "null" {
		t.Fatalf("took %q", text)
	}
}

// checkRefused holds what must be true of every error.
func checkRefused(t *testing.T, err error) *Error {
	t.Helper()
	e := AsError(err)
	if e == nil {
		t.Fatalf("%T is no Error", err)
	}
	text := e.Error()
	switch {
	case e.Kind == "" || e.Actor() == "" || e.Hint() == "":
		t.Fatalf("%+v is not fully classified", e)
	case e.RetryAfter < 0 || e.RetryAfter > MaxRetryAfter:
		t.Fatalf("wait for %s", e.RetryAfter)
	case len(e.Description) > maxText || len(e.Word) > maxText || hasControl(text) || !utf8.ValidString(text):
		t.Fatalf("text %q", text)
	case (e.OrphanMitigation || e.Lost) && e.StatusCode >= 400 && e.StatusCode < 500:
		t.Fatalf("a %d changed something", e.StatusCode)
	case e.StatusCode < 400 && (e.Word != "" || e.Description != "" || len(text) > 300):
		t.Fatalf("an answer that was none is quoted: %q", text)
	}
	return e
}

// FuzzCatalog reads catalogs: what is taken has the ids that its users rely on,
// and reads the same when it is written and read again.
func FuzzCatalog(f *testing.F) {
	for _, s := range []string{
		`{"services":[]}`, `{}`, `null`, `{"services":null}`, "\xef\xbb\xbf{\"services\":[]}", `{"services":[]} {}`,
		`{"services":[{"id":"s","name":"n","plans":[{"id":"p","name":"n","free":null,"schemas":{"service_instance":{"create":null}}}]}]}`,
		`{"services":[{"id":"s","name":"n","ID":7,"plans":[{"id":"p"},{"id":"p","name":"n"},7]},{"id":"s"},{"name":"x"},null]}`,
		`{"services":[{"id":"s","name":"n","plans":[{"id":"p","name":"n","schemas":{"service_binding":{"create":{"parameters":[]}}},"maintenance_info":{"version":"1.0.0+a"},"maximum_polling_duration":60}]}]}`,
	} {
		f.Add([]byte(s))
	}
	read := func(t *testing.T, body []byte) (*CatalogResponse, error) {
		t.Helper()
		return answered(t, http.StatusOK, "", body).GetCatalog(t.Context(), &CatalogRequest{})
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := read(t, body)
		if err != nil {
			_ = checkRefused(t, err)
			return
		}
		checkTaken(t, body)
		checkCatalog(t, first)
		if len(body) > 10_000 {
			return // writing makes "<" six bytes, and a schema may become too large
		}
		raw, err := json.Marshal(first.Catalog)
		if err != nil {
			t.Fatal(err)
		}
		second, err := read(t, raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		raw, err = json.Marshal(second.Catalog) // as free-form parts are written
		if err != nil {
			t.Fatal(err)
		}
		third, err := read(t, raw)
		if err != nil || !reflect.DeepEqual(second.Catalog, third.Catalog) {
			t.Fatalf("%+v became %+v, %v", second.Catalog, third.Catalog, err)
		}
	})
}

// checkCatalog holds what users of a catalog rely on: ids and names are there,
// ids are unique, and what is said of faults can be shown.
func checkCatalog(t *testing.T, r *CatalogResponse) {
	t.Helper()
	ids := map[string]bool{}
	for _, s := range r.Catalog.Services {
		if s.ID == "" || s.Name == "" || ids["s"+s.ID] {
			t.Fatalf("service %+v", s)
		}
		ids["s"+s.ID] = true
		for _, p := range s.Plans {
			if p.ID == "" || p.Name == "" || ids["p"+p.ID] {
				t.Fatalf("plan %+v", p)
			}
			ids["p"+p.ID] = true
			for _, schema := range []RawJSON{p.ProvisionSchema(), p.UpdateSchema(), p.BindSchema()} {
				if schema != nil && (len(schema) > maxSchemaBytes || bytes.TrimSpace(schema)[0] != '{') {
					t.Fatalf("schema %.100s", schema)
				}
			}
		}
	}
	for _, p := range r.Problems {
		if p.Reason == "" || len(p.Reason) > maxText || hasControl(p.Reason) || !utf8.ValidString(p.Reason) {
			t.Fatalf("reason %q", p.Reason)
		}
	}
}

// FuzzBindAnswer reads answers to a bind: credentials come as they were sent, to
// the last digit, and only when they may be there.
func FuzzBindAnswer(f *testing.F) {
	f.Add(uint8(1), []byte(`{"credentials":{"n":1e400,"big":12345678901234567890.10,"s":"<&>\u0000"},"metadata":{"expires_at":"2030-01-02T03:04:05Z","renew_before":"2031-01-02"}}`))
	f.Add(uint8(0), []byte(`{"credentials":null,"endpoints":[{"host":"h","ports":["1"]}],"volume_mounts":[{"device":{"mount_config":{}}}]}`))
	f.Add(uint8(2), []byte(`{"operation":"op","credentials":{"a":"early"}}`))
	f.Add(uint8(3), []byte(`{}`))
	f.Fuzz(func(t *testing.T, choice uint8, body []byte) {
		status := []int{200, 201, 202, 203}[choice%4]
		got, err := answered(t, status, "", body).Bind(t.Context(), &BindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s", PlanID: "p"})
		if err != nil {
			if e := checkRefused(t, err); !e.Lost || e.OrphanMitigation == (status == 200) {
				t.Fatalf("%d is classified %+v", status, e)
			}
			return
		}
		checkTaken(t, body)
		switch m := got.Metadata; {
		case got.Async != (status == 202) || got.Existed != (status == 200) || status == 203:
			t.Fatalf("%d is %+v", status, got)
		case got.Async && !reflect.DeepEqual(got.BindingData, BindingData{}):
			t.Fatalf("a 202 gave %+v", got.BindingData)
		case got.Async && utf8.RuneCountInString(got.Operation) > MaxOperationLength:
			t.Fatal("the operation is too long")
		case m != nil && m.ExpiresAt != nil && m.RenewBefore != nil && m.RenewBefore.After(*m.ExpiresAt):
			t.Fatalf("renewal after the end: %+v", m)
		}
		if !got.Async {
			checkCredentials(t, body, got.Credentials)
		}
	})
}

// checkCredentials compares with what plain JSON says.
func checkCredentials(t *testing.T, body []byte, got Credentials) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(trimBOM(body), &members); err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if raw, ok := members["credentials"]; ok {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
	}
	if len(want) != len(got) || len(want) > 0 && !reflect.DeepEqual(map[string]any(got), want) {
		t.Fatalf("%v became %v", want, map[string]any(got))
	}
}

// FuzzLastOperation polls: nothing but a broker's clear word ends an operation.
func FuzzLastOperation(f *testing.F) {
	f.Add(200, uint8(1), []byte(`{"state":"in progress","description":"half\nway"}`), "7")
	f.Add(200, uint8(4), []byte(`{"state":"failed","instance_usable":false,"update_repeatable":null}`), "")
	f.Add(200, uint8(4), []byte(`{"State":"succeeded"}`), "")
	f.Add(410, uint8(7), []byte(` null `), "Wed, 02 Jan 2030 03:04:05 GMT")
	f.Add(410, uint8(4), []byte(`<html>`), "")
	f.Add(404, uint8(1), []byte(`{"error":"ConcurrencyError"}`), "-1")
	f.Fuzz(func(t *testing.T, status int, op uint8, body []byte, retryAfter string) {
		polled := operations[int(op)%len(operations)]
		got, err := answered(t, status, retryAfter, body).LastOperation(t.Context(), &LastOperationRequest{Polled: polled, InstanceID: "i", BindingID: "b"})
		if err != nil {
			if e := checkRefused(t, err); e.OrphanMitigation || e.Lost || !e.Retryable() {
				t.Fatalf("a poll is %+v", e)
			}
			return
		}
		if got.Gone {
			if status != http.StatusGone || polled != OpDeprovision && polled != OpUnbind || got.State != StateSucceeded {
				t.Fatalf("%d to a poll of %s is gone", status, polled)
			}
			return
		}
		checkTaken(t, body)
		var said struct {
			State string `json:"state"`
		}
		_ = Unmarshal(trimBOM(body), &said)
		switch {
		case status != http.StatusOK || said.State != string(got.State):
			t.Fatalf("%d %s is %+v", status, body, got)
		case got.RetryAfter < 0 || got.RetryAfter > MaxRetryAfter:
			t.Fatalf("wait for %s", got.RetryAfter)
		case len(got.Description) > maxText || hasControl(got.Description) || !utf8.ValidString(got.Description):
			t.Fatalf("description %q", got.Description)
		}
	})
}

// FuzzErrorBody classifies refusals: what is no JSON object is never quoted, and
// words count only where the specification gives them a meaning.
func FuzzErrorBody(f *testing.F) {
	f.Add(422, uint8(1), []byte(`{"error":"ConcurrencyError","description":"x\u0000y"}`), "120")
	f.Add(410, uint8(4), []byte(`<html>`), "Wed, 02 Jan 2030 03:04:05 GMT")
	f.Add(500, uint8(3), []byte(`{"instance_usable":false,"update_repeatable":"no"}`), "-1")
	f.Add(412, uint8(0), []byte(`{"Description":"speak 2.13"}`), "")
	f.Add(409, uint8(5), []byte("\xef\xbb\xbf{\"error\":\"ConcurrencyError\"}"), "0")
	f.Fuzz(func(t *testing.T, status int, op uint8, body []byte, retryAfter string) {
		a := Answer{Operation: operations[int(op)%len(operations)], StatusCode: status, Body: body, Sent: true,
			Header: http.Header{"Retry-After": {retryAfter}}, Now: time.Unix(1900000000, 0)}
		e := Classify(a)
		if e == nil {
			if status >= 300 && status != http.StatusGone {
				t.Fatalf("status %d is success", status)
			}
			return
		}
		_ = checkRefused(t, e)
		var object map[string]any
		spoken := json.Unmarshal(trimBOM(body), &object) == nil
		switch {
		case !spoken && (e.Word != "" || e.Description != "" || e.InstanceUsable != nil || e.UpdateRepeatable != nil):
			t.Fatalf("%q is quoted in %+v", body, e)
		case wordKinds[e.Word] == e.Kind && e.Word != "" && status != 422 && (status != 409 || e.Kind != KindBusy) && status != 429:
			t.Fatalf("the word %q counts in a %d", e.Word, status)
		case (e.Kind == KindGone || e.Kind == KindNotFound) && a.foreign():
			t.Fatalf("%q is taken for the broker's word", body)
		}
	})
}

// FuzzRetryAfter holds both forms to what they say, and the rest to nothing.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", " 7 ", "99999999999999999999", "-5", "1.5", "Wed, 02 Jan 2030 03:04:05 GMT", "Wednesday, 02-Jan-30 03:04:05 GMT", "Wed Jan  2 03:04:05 2030"} {
		f.Add(s, int64(1893553445))
	}
	f.Fuzz(func(t *testing.T, value string, unix int64) {
		now := time.Unix(unix%(1<<40), 0)
		got := ParseRetryAfter(value, now)
		if got < 0 || got > MaxRetryAfter {
			t.Fatalf("%q is %s", value, got)
		}
		trimmed := strings.TrimSpace(value)
		if n, ok := new(big.Int).SetString(trimmed, 10); ok && strings.Trim(trimmed, "0123456789") == "" {
			want := MaxRetryAfter
			if n.IsInt64() && n.Int64() < int64(MaxRetryAfter/time.Second) {
				want = time.Duration(n.Int64()) * time.Second
			}
			if got != want {
				t.Fatalf("%q is %s, not %s", value, got, want)
			}
			return
		}
		date, err := http.ParseTime(trimmed)
		if err != nil && got != 0 {
			t.Fatalf("%q is %s", value, got)
		}
		if err == nil && date.Before(now) && got != 0 {
			t.Fatalf("%q is past and means %s", value, got)
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

package broker_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/svc-cat/catalog/osb/broker"
)

// FuzzRequest sends anything a socket may bring. A broker without a fault never
// answers 5xx, and every answer is a JSON object of its code (B3, B4).
func FuzzRequest(f *testing.F) {
	f.Add(uint8(0), "/v2/catalog", "", "kubernetes eyJ1c2VybmFtZSI6ImphbmUifQ==", []byte(``))
	f.Add(uint8(1), instancePath, "accepts_incomplete=true", "", []byte(provisionBody))
	f.Add(uint8(1), bindingPath, "", "", []byte(`{"predecessor_binding_id":"b-0","parameters":{}}`))
	f.Add(uint8(2), instancePath, "", "kubernetes %%%", []byte(`{"service_id":"db","previous_values":{"plan_id":"small"},"maintenance_info":{"version":"2"}}`))
	f.Add(uint8(3), bindingPath, "service_id=db&plan_id=small", "", []byte(``))
	f.Add(uint8(0), "/v2/service_instances/%2e%2e/last_operation", "operation=a%2Bb;c", "", []byte(`{`))
	f.Add(uint8(4), "//v2/../catalog", "", "x", []byte("\xff"))
	methods := []string{"GET", "PUT", "PATCH", "DELETE", "POST"}
	h := broker.NewHandler(&complete{}, options())
	f.Fuzz(func(t *testing.T, method uint8, path, query, identity string, body []byte) {
		target, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") {
			return // net/http's server refuses it before it comes here
		}
		target.RawQuery = query
		r := httptest.NewRequest(methods[int(method)%len(methods)], "/", strings.NewReader(string(body)))
		r.URL, r.Host = target, "broker"
		r.SetBasicAuth("user", "password-1")
		r.Header.Set("X-Broker-API-Version", "2.17")
		r.Header.Set("X-Broker-API-Originating-Identity", identity)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var answer map[string]any
		switch err := json.Unmarshal(w.Body.Bytes(), &answer); {
		case w.Code == http.StatusNotModified:
		case err != nil, answer == nil, !utf8.Valid(w.Body.Bytes()), w.Header().Get("Content-Type") != "application/json":
			t.Fatalf("%d %q", w.Code, w.Body)
		case w.Code >= 500 || w.Code >= 300 && w.Code < 400:
			t.Fatalf("%s %s is %d: %s", r.Method, target, w.Code, w.Body)
		case w.Code >= 400 && (answer["description"] == nil || answer["description"] == ""):
			t.Fatalf("%d does not say why", w.Code)
		case w.Code < 300 && r.Method == http.MethodPost:
			t.Fatalf("POST %s is %d", target, w.Code)
		}
	})
}

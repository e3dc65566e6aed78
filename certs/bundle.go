package certs

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
)

// trustStore is what one webhook configuration trusts.
type trustStore struct {
	entries []trustEntry // one for each webhook in it
}

// trustEntry is one caBundle.
type trustEntry struct {
	certs []*x509.Certificate
	whole bool // nothing but certificates
}

func newTrustStore(config configuration) trustStore {
	var store trustStore
	for _, webhook := range config.webhooks() {
		certs, whole := parseCertificates(webhook.CABundle)
		store.entries = append(store.entries, trustEntry{certs: certs, whole: whole})
	}
	return store
}

// holds says whether every webhook of the configuration trusts crt.
func (t trustStore) holds(crt *x509.Certificate) bool {
	return !slices.ContainsFunc(t.entries, func(e trustEntry) bool { return !contains(e.certs, crt) })
}

// holdsAny says whether some webhook of the configuration trusts crt.
func (t trustStore) holdsAny(crt *x509.Certificate) bool {
	return slices.ContainsFunc(t.entries, func(e trustEntry) bool { return contains(e.certs, crt) })
}

// isExactly says whether every webhook trusts these CAs and no others; how the bundle is written
// (order, comments) does not matter.
func (t trustStore) isExactly(want []*x509.Certificate) bool {
	return !slices.ContainsFunc(t.entries, func(e trustEntry) bool { return !e.isExactly(want) })
}

func (e trustEntry) isExactly(want []*x509.Certificate) bool {
	extra := func(crt *x509.Certificate) bool { return !contains(want, crt) }
	missing := func(crt *x509.Certificate) bool { return !contains(e.certs, crt) }
	return e.whole && !slices.ContainsFunc(e.certs, extra) && !slices.ContainsFunc(want, missing)
}

// all are the CAs of all webhooks.
func (t trustStore) all() []*x509.Certificate {
	var certs []*x509.Certificate
	for _, entry := range t.entries {
		certs = append(certs, entry.certs...)
	}
	return certs
}

// bundlePatch returns a JSON patch (RFC 6902) that gives every webhook of config the bundle, or
// nothing if all have it. It tests the resource version, so that it applies to nothing but what was
// looked at.
func bundlePatch(config configuration, want []*x509.Certificate) ([]byte, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	ops := []operation{{Op: "test", Path: "/metadata/resourceVersion", Value: config.GetResourceVersion()}}
	for i, entry := range newTrustStore(config).entries {
		if entry.isExactly(want) {
			continue
		}
		path := fmt.Sprintf("/webhooks/%d/clientConfig/caBundle", i)
		ops = append(ops, operation{Op: "add", Path: path, Value: encodeCertificates(want...)})
	}
	if len(ops) == 1 {
		return nil, nil
	}
	return json.Marshal(ops)
}

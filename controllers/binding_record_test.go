package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/svc-cat/catalog/osb"
)

func TestLeftOutMessage(t *testing.T) {
	t.Parallel()
	keys := make([]string, 30)
	for i := range keys {
		keys[i] = "k"
	}
	assert.Contains(t, leftOutMessage(nil, keys), "and 10 more", "it is bounded")
	assert.Contains(t, leftOutMessage([]string{"a b"}, nil), "no Secret can have such a key: a b.")
	assert.Empty(t, leftOutMessage(nil, nil))
}

func TestNotSupported(t *testing.T) {
	t.Parallel()
	assert.Contains(t, notSupported(osb.BindingData{SyslogDrainURL: "syslog://secret", RouteServiceURL: "https://secret"}), "gave syslog_drain_url, route_service_url with")
	assert.NotContains(t, notSupported(osb.BindingData{SyslogDrainURL: "syslog://secret"}), "secret")
	assert.Empty(t, notSupported(osb.BindingData{Endpoints: []osb.Endpoint{{Host: "h"}}}), "endpoints are kept")
}

//go:build integration

package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestBrokerURLs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		url  string
		fine bool
	}{
		"a host":                       {url: "https://broker.example.com", fine: true},
		"a Service of the cluster":     {url: "http://pg-broker.brokers.svc.cluster.local:8080", fine: true},
		"a path and a trailing slash":  {url: "https://example.com/brokers/pg/", fine: true},
		"an IPv6 address":              {url: "http://[fd00::1]:8080", fine: true},
		"a scheme in capitals":         {url: "HTTPS://broker.example.com", fine: true},
		"a path with escapes":          {url: "https://example.com/a%20b", fine: true},
		"a user and a password":        {url: "https://admin:hunter2@broker.example.com"},
		"a user alone":                 {url: "https://hunter2@broker.example.com"},
		"a query":                      {url: "https://broker.example.com/?token=hunter2"},
		"a fragment":                   {url: "https://broker.example.com/#hunter2"},
		"no scheme":                    {url: "broker.example.com"},
		"another scheme":               {url: "ftp://broker.example.com"},
		"no host":                      {url: "https:///v2"},
		"a port and no host":           {url: "https://:8080"},
		"a port that is none":          {url: "https://broker.example.com:http"},
		"a blank":                      {url: "https://broker.example.com/a b"},
		"an escape that is none":       {url: "https://broker.example.com/%zz"},
		"a newline behind":             {url: "https://broker.example.com\n"},
		"a backslash for a slash":      {url: `https://broker.example.com\a`},
		"several, for a template's if": {url: "https://a.example.com, https://b.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obj := parse(t, "ClusterServiceBroker", "url", `{spec: {url: ""}}`)
			change(obj, map[string]any{"url": tc.url})
			err := shared.Create(t.Context(), obj, client.DryRunAll)
			if tc.fine {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Contains(t, err.Error(), "spec.url must be an absolute http or https URL")
			assert.NotContains(t, err.Error(), "hunter2", "what may be a password is not repeated")
		})
	}
}

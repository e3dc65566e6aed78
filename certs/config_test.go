package certs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewManagerChecksItsConfiguration(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		change func(*Config)
		want   string // empty: accepted
	}{
		"the defaults go together":         {change: func(*Config) {}},
		"a name is missing":                {change: func(c *Config) { c.Service = "" }, want: "Service name"},
		"a period is negative":             {change: func(c *Config) { c.Settle = -time.Second }, want: "negative"},
		"a certificate outlives its CA":    {change: func(c *Config) { c.CALifetime = 100 * day }, want: "three times as long"},
		"an overlap outlives certificates": {change: func(c *Config) { c.Overlap = 31 * day }, want: "third of the serving certificate"},
		"settling takes for ever":          {change: func(c *Config) { c.Settle = 70 * day }, want: "no time to replace"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Namespace: "ns", SecretName: "cert", Service: "hooks"}
			tc.change(&cfg)
			_, err := NewManager(cfg)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestCertificateHoldsAllNamesOfTheService(t *testing.T) {
	t.Parallel()
	w := runningWorld(t)
	crt := w.contents().leaf.cert
	assert.Equal(t, []string{"hooks", "hooks.ns", "hooks.ns.svc", "hooks.ns.svc.cluster.local"}, crt.DNSNames)
	assert.Equal(t, start.Add(-DefaultClockSkew), crt.NotBefore)
	assert.Equal(t, start.Add(DefaultLeafLifetime), crt.NotAfter)
	assert.Equal(t, start.Add(DefaultCALifetime), w.contents().active.cert.NotAfter)
}

package controllers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestDashboardURL is P64 and P86: a new link replaces the old one, and what is
// no link is ignored.
func TestDashboardURL(t *testing.T) {
	t.Parallel()
	const before = "https://db.example/before"
	longest := "https://db.example/" + strings.Repeat("x", maxDashboardURL-len("https://db.example/"))
	for name, tc := range map[string]struct {
		given string
		kept  bool
	}{
		"https":                    {"https://db.example/orders?tab=1#top", true},
		"http":                     {"http://10.1.2.3:8080", true},
		"a scheme in capitals":     {"HTTPS://db.example", true},
		"as long as may be":        {longest, true},
		"longer than may be":       {longest + "x", false},
		"empty":                    {"", false},
		"a path":                   {"/orders", false},
		"no scheme":                {"db.example/orders", false},
		"the page's own scheme":    {"//db.example/orders", false},
		"a script":                 {"javascript:alert(1)", false},
		"another scheme":           {"ftp://db.example/orders", false},
		"no host":                  {"https:///orders", false},
		"only a port":              {"https://:443/orders", false},
		"opaque":                   {"https:db.example", false},
		"a password":               {"https://admin:secret@db.example", false},
		"control characters":       {"https://db.example/\x00", false},
		"a host that is none":      {"https://db example/", false},
		"a percent sign by itself": {"https://db.example/%zz", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := new(before)
			if tc.kept {
				want = &tc.given
			}
			assert.Equal(t, want, dashboardURL(&tc.given, new(before)))
		})
	}
	assert.Equal(t, new(before), dashboardURL(nil, new(before)), "absent keeps the old one (P86)")
	assert.Nil(t, dashboardURL(nil, nil))
}

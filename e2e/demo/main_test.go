package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAWrongCommandLineIsRefusedInASentence(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing":                          {nil, "usage"},
		"a command that there is not":      {[]string{"start"}, "usage"},
		"an argument that nobody takes":    {[]string{"up", "twice"}, "usage"},
		"another cluster":                  {[]string{"up", "--cluster=mine"}, "give local or current"},
		"a registry for the local cluster": {[]string{"up", "--registry=r.example"}, "did you mean CLUSTER=current?"},
		"a PostgreSQL for the local one":   {[]string{"check", "--postgres-uri=postgres://x"}, "did you mean CLUSTER=current?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.ErrorContains(t, run(t.Context(), tc.args), tc.want)
		})
	}
}

// A cluster must be chosen on purpose, and nothing be touched before all is there.
func TestTheCurrentClusterNeedsItsProgramsAndAContext(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	assert.ErrorContains(t, run(t.Context(), []string{"check", "--cluster=current"}), "is not in the PATH")
}

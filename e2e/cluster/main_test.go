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
		"a command that there is not":   {[]string{"upp"}, `there is no command "upp"`},
		"an argument that nobody takes": {[]string{"down", "all"}, `down takes no argument, and "all" is one`},
		"no images":                     {[]string{"load"}, "name the archives"},
		"no command":                    {[]string{"exec", "--"}, "name a command"},
		"no verb":                       {[]string{"postgres"}, "up, down or psql"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.ErrorContains(t, run(t.Context(), tc.args), tc.want)
		})
	}
	assert.NoError(t, run(t.Context(), []string{"up", "--help"}), "asking is no mistake")
}

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The chart and the command are changed together, or a Pod does not start.
func TestTheChartGivesOnlyFlagsThatThereAre(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../charts/catalog/templates/*")
	require.NoError(t, err)
	flag := regexp.MustCompile(`"--([a-z-]+)=`)
	given := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range flag.FindAllStringSubmatch(string(raw), -1) {
			given++
			known := false
			for _, c := range newCommand(io.Discard).Commands() {
				known = known || c.Flags().Lookup(m[1]) != nil
			}
			assert.True(t, known, "%s gives --%s", f, m[1])
		}
	}
	assert.GreaterOrEqual(t, given, 10, "the flags were found")
}

func TestWrongFlagsAreToldInASentence(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no namespace":      {[]string{"controllers"}, "give --namespace"},
		"an unknown level":  {[]string{"controllers", "--namespace=c", "--log-level=loud"}, "give info or debug"},
		"an unknown format": {[]string{"webhook", "--namespace=c", "--log-format=xml"}, "give json or text"},
		"an unknown flag":   {[]string{"webhook", "--namespace=c", "--loud"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand(io.Discard)
			cmd.SetArgs(tc.args)
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			require.ErrorContains(t, cmd.ExecuteContext(t.Context()), tc.want)
		})
	}
}

func TestTheVersionIsPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := newCommand(io.Discard)
	cmd.SetArgs([]string{"--version"})
	cmd.SetOut(&out)
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	assert.Equal(t, "catalog version dev", strings.TrimSpace(out.String()))
}

package main

import (
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The chart and the command are changed together, or a Pod does not start.
func TestTheChartGivesOnlyFlagsThatThereAre(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../charts/test-broker/templates/deployment.yaml")
	require.NoError(t, err)
	given := regexp.MustCompile(`- --([a-z-]+)(=|\n)`).FindAllStringSubmatch(string(raw), -1)
	require.NotEmpty(t, given)
	flags := newCommand(io.Discard).Flags()
	for _, match := range given {
		assert.NotNil(t, flags.Lookup(match[1]), "the chart gives --%s", match[1])
	}
}

package main

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheVersionIsPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, command(t.Context(), []string{"--version"}, &out))
	assert.Equal(t, "demo-app version dev\n", out.String())
}

func TestAWrongSourceIsToldInASentence(t *testing.T) {
	t.Parallel()
	err := command(t.Context(), []string{"-from=air", "-listen=127.0.0.1:0"}, io.Discard)
	require.ErrorContains(t, err, "give files or env")
}

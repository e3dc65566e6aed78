package main

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFromFilesTakesTheBindingOfTheRightType(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		"cache/type":     {Data: []byte("redis")},
		"cache/uri":      {Data: []byte("redis://x")},
		"orders-db/type": {Data: []byte("postgresql\n")},
		"orders-db/uri":  {Data: []byte("postgres://y\n")},
		"stray":          {Data: []byte("no directory")},
	}
	uri, where, err := fromFiles(root, "postgresql")
	require.NoError(t, err)
	assert.Equal(t, "postgres://y", uri)
	assert.Equal(t, "orders-db/uri", where)
}

func TestWithoutABindingTheProgramSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, _, err := fromFiles(fstest.MapFS{"cache/type": {Data: []byte("redis")}}, "postgresql")
	require.ErrorContains(t, err, "annotate the Pod")
	_, err = fromEnv(func(string) (string, bool) { return "", false }, "ORDERS_DB_URI")
	require.ErrorContains(t, err, "annotate the Pod")
}

func TestFromEnvTakesTheVariable(t *testing.T) {
	t.Parallel()
	uri, err := fromEnv(func(name string) (string, bool) { return "uri of " + name, true }, "ORDERS_DB_URI")
	require.NoError(t, err)
	assert.Equal(t, "uri of ORDERS_DB_URI", uri)
}

package inject_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/inject"
)

const plainPod = `{"metadata":{"annotations":{"servicecatalog.k8s.io/binding":"orders-db"}},"spec":{"containers":[{"name":"app"}]}}`

func stored(name string) inject.Binding {
	b := inject.Observe(name, nil)
	b.Exists, b.Stored = true, true
	return b
}

func TestScanRefusesWhatNoAPIServerSends(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"nothing":                         ``,
		"no object":                       `[]`,
		"cut off":                         plainPod[:len(plainPod)-1],
		"two values":                      plainPod + plainPod,
		"a member twice":                  `{"spec":{},"spec":{}}`,
		"an annotation twice":             `{"metadata":{"annotations":{"servicecatalog.k8s.io/binding":"a","servicecatalog.k8s.io/binding":"b"}}}`,
		"a container twice in the list":   `{"spec":{"containers":[{"name":"a","name":"b"}]}}`,
		"invalid UTF-8":                   "{\"metadata\":{\"name\":\"\xff\"}}",
		"half a surrogate":                `{"metadata":{"name":"\ud800"}}`,
		"a number as annotation":          `{"metadata":{"annotations":{"servicecatalog.k8s.io/binding":1}}}`,
		"annotations as list":             `{"metadata":{"annotations":[]}}`,
		"containers as object":            `{"spec":{"containers":{}}}`,
		"a container that is null":        `{"spec":{"containers":[null]}}`,
		"env as object":                   `{"spec":{"containers":[{"env":{}}]}}`,
		"deeper than anybody needs":       `{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
		"an unclosed array":               `{"spec":{"containers":[{"name":"a"}`,
		"a comma too many":                `{"spec":{"containers":[{"name":"a"},]}}`,
		"a number that is none":           `{"spec":{"priority":1e}}`,
		"a control character in a string": "{\"metadata\":{\"name\":\"a\nb\"}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := inject.Scan([]byte(raw))
			assert.ErrorIs(t, err, inject.ErrMalformed)
		})
	}
}

func TestListsAreCheckedWhenTheyAreNeeded(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]string{
		"a variable that is a string": `{"containers":[{"name":"a","env":["SERVICE_BINDING_ROOT"]}]}`,
		"a root that is a number":     `{"containers":[{"name":"a","env":[{"name":"SERVICE_BINDING_ROOT","value":1}]}]}`,
		"a mount that is a number":    `{"containers":[{"name":"a","volumeMounts":[1]}]}`,
		"a Secret that is a string":   `{"volumes":[{"secret":"x"}],"containers":[{"name":"a"}]}`,
		"a gate that is a list":       `{"schedulingGates":[[]],"containers":[{"name":"a"}]}`,
		"a prefix that is an object":  `{"containers":[{"name":"a","envFrom":[{"prefix":{}}]}]}`,
		"no spec at all":              `null`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := strings.Replace(plainPod, `{"containers":[{"name":"app"}]}`, spec, 1)
			_, err := inject.Inject([]byte(raw), "shop", stored)
			assert.ErrorIs(t, err, inject.ErrMalformed)
			assert.NotErrorAs(t, err, new(*inject.Refusal))
		})
	}
}

func TestScanReadsEscapesAndAnyOrder(t *testing.T) {
	t.Parallel()
	raw := `{"sp\u0065c":{"containers":[{"env":[{"value":"\u002fx","n\u0061me":"SERVICE_\u0042INDING_ROOT"}],"name":"app"}]},` +
		`"metadata":{"annotations":{"servicecatalog.k8s.io\/binding":"orders\u002ddb"}}}`
	res, err := inject.Inject([]byte(raw), "shop", stored)
	require.NoError(t, err)
	assert.Contains(t, string(res.Patch), `"mountPath":"/x/orders-db"`)
	assert.NotContains(t, string(res.Patch), "SERVICE_BINDING_ROOT", "the root is set already")
}

func TestHugeAndOddValuesArePassedBy(t *testing.T) {
	t.Parallel()
	raw := strings.Replace(plainPod, `"metadata"`,
		`"x":1e999999,"y":-0,"z":`+strings.Repeat("9", 5000)+`,"deep":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`,"metadata"`, 1)
	res, err := inject.Inject([]byte(raw), "shop", stored)
	require.NoError(t, err)
	assert.NotEmpty(t, res.Patch)
}

func TestFiveThousandAnnotations(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `"example.com/a%d":"v",`, i)
	}
	raw := strings.Replace(plainPod, `{"servicecatalog`, `{`+b.String()+`"servicecatalog`, 1)
	res, err := inject.Inject([]byte(raw), "shop", stored)
	require.NoError(t, err)
	assert.NotEmpty(t, res.Patch)
	assert.Less(t, len(res.Patch), 2048)
}

// FuzzInject feeds anything as a Pod. Nothing may panic, an error is a refusal
// or says that the Pod is malformed, and a patch applies and is the last one.
func FuzzInject(f *testing.F) {
	f.Add([]byte(plainPod))
	f.Add([]byte(`{"metadata":{"annotations":{"servicecatalog.k8s.io/binding":"a,b","b.servicecatalog.k8s.io/env":"A=b"}},"spec":{"volumes":[],"containers":[{"env":null}]}}`))
	f.Add([]byte(`{"spec":{"spec":{}},"spec":[]}`))
	f.Add([]byte(strings.Repeat(`{"a":[`, 100)))
	f.Add([]byte("{\"metadata\":{\"annotations\":{\"servicecatalog.k8s.io/binding\":\"\xff\"}}}"))
	f.Fuzz(func(t *testing.T, raw []byte) { fuzzOne(t, raw) })
}

// FuzzAnnotations puts anything into the annotations of an ordinary Pod.
func FuzzAnnotations(f *testing.F) {
	f.Add("orders-db", "env", "A=b,C=file:d", "mount-path", "/x")
	f.Add("orders-db, cache", "env-prefix", "", "injected", `{"bindings":[{"name":"cache"}]}`)
	f.Fuzz(func(t *testing.T, binding, key1, value1, key2, value2 string) {
		annotations := map[string]string{
			"servicecatalog.k8s.io/" + key1:   value1,
			"a.servicecatalog.k8s.io/" + key2: value2,
			"servicecatalog.k8s.io/binding":   binding,
		}
		raw, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"annotations": annotations},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "app", "env": []any{}}}},
		})
		require.NoError(t, err)
		fuzzOne(t, raw)
	})
}

func fuzzOne(t *testing.T, raw []byte) {
	before := bytes.Clone(raw)
	res, err := inject.Inject(raw, "shop", stored)
	require.Equal(t, before, raw, "the input is not written to")
	if err != nil {
		if _, ok := errors.AsType[*inject.Refusal](err); !ok {
			require.ErrorIs(t, err, inject.ErrMalformed)
		}
		return
	}
	if res.Patch == nil {
		return
	}
	ops, err := jsonpatch.DecodePatch(res.Patch)
	require.NoError(t, err, "%s", res.Patch)
	got, err := ops.Apply(raw)
	require.NoError(t, err, "%s onto %s", res.Patch, raw)
	again, err := inject.Inject(got, "shop", stored)
	require.NoError(t, err)
	require.Empty(t, string(again.Patch), "second pass over %s", got)
}

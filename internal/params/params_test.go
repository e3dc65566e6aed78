package params_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/params"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	inline := func(s string) params.Source { return params.Source{Name: "spec.parameters", JSON: []byte(s)} }
	secret := func(s string) params.Source {
		return params.Source{Name: `Secret "p" key "k"`, JSON: []byte(s), Secret: true}
	}
	for name, tc := range map[string]struct {
		in                   []params.Source
		want, redacted, fail string
	}{
		"nothing is no parameters":                   {},
		"null and an empty object are no parameters": {in: []params.Source{inline("null"), secret("{}")}},
		"keys are sorted": {
			in: []params.Source{inline(`{"b":1,"a":"x"}`)}, want: `{"a":"x","b":1}`, redacted: `{"a":"x","b":1}`},
		"values of Secrets are redacted": {
			in:   []params.Source{inline(`{"size":5}`), secret(`{"password":"hunter2"}`)},
			want: `{"password":"hunter2","size":5}`, redacted: `{"password":"<redacted>","size":5}`},
		"numbers keep every digit": {
			in: []params.Source{inline(`{"n":12345678901234567890.10}`)}, want: `{"n":12345678901234567890.10}`, redacted: `{"n":12345678901234567890.10}`},
		"text is not escaped for HTML": {
			in: []params.Source{inline(`{"a":"<b>&"}`)}, want: `{"a":"<b>&"}`, redacted: `{"a":"<b>&"}`},
		"a key stated twice is refused": {
			in: []params.Source{inline(`{"a":1}`), secret(`{"a":2}`)}, fail: `parameter "a" is stated twice`},
		"a list is no object":               {in: []params.Source{secret(`["hunter2"]`)}, fail: `Secret "p" key "k": not a JSON object`},
		"text behind the object is refused": {in: []params.Source{inline(`{} {}`)}, fail: "not a JSON object"},
		"broken JSON is refused":            {in: []params.Source{secret(`{"a":hunter2`)}, fail: "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := params.Merge(tc.in...)
			if tc.fail != "" {
				require.ErrorContains(t, err, tc.fail)
				assert.NotContains(t, err.Error(), "hunter2", "no value of a Secret may enter an error")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(got.JSON))
			assert.Equal(t, tc.redacted, string(got.Redacted))
			assert.Equal(t, tc.want == "", got.Checksum == "")
		})
	}
}

func TestChecksumIsOfTheValuesNotOfTheirOrder(t *testing.T) {
	t.Parallel()
	a, err := params.Merge(params.Source{JSON: []byte(`{"a":1,"b":{"d":1,"c":2}}`)})
	require.NoError(t, err)
	b, err := params.Merge(params.Source{JSON: []byte(`{ "b":{"c":2,"d":1}, "a":1 }`)})
	require.NoError(t, err)
	assert.Equal(t, a.Checksum, b.Checksum)
	assert.Regexp(t, "^[0-9a-f]{64}$", a.Checksum)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const schema = `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","required":["size"],
		"properties":{"size":{"type":"integer","maximum":9},"encoding":{"enum":["UTF8","LATIN1"]}},"additionalProperties":false}`
	for name, tc := range map[string]struct{ schema, in, fail string }{
		"no schema accepts all":                  {"", `{"a":1}`, ""},
		"parameters that fit pass":               {schema, `{"size":3}`, ""},
		"no parameters are an empty object":      {schema, "", `parameters must have "size"`},
		"a wrong type is named without value":    {schema, `{"size":"hunter2"}`, `parameter "size" must be of type integer`},
		"an unknown field is named":              {schema, `{"size":1,"x":"hunter2"}`, `must not have "x"`},
		"an enum lists what is allowed":          {schema, `{"size":1,"encoding":"hunter2"}`, `parameter "encoding" must be one of [UTF8 LATIN1]`},
		"other rules are named by their keyword": {schema, `{"size":10}`, `parameter "size" does not keep the schema's "maximum"`},
		"a missing $schema is tolerated":         {`{"type":"object","required":["a"]}`, `{}`, `must have "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := params.Check([]byte(tc.schema), []byte(tc.in))
			if tc.fail == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.fail)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotErrorIs(t, err, params.ErrUnusableSchema)
		})
	}
}

func TestUnusableSchemas(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{
		"a reference to the web is not fetched":   `{"$ref":"http://127.0.0.1:1/x.json"}`,
		"a reference to a file is not fetched":    `{"$ref":"file:///etc/passwd"}`,
		"broken JSON":                             `{`,
		"a schema with wrong keywords":            `{"type":7}`,
		"a schema of a draft that does not exist": `{"$schema":"http://example.com/draft-99"}`,
		"a schema that is too large":              `{"description":"` + strings.Repeat("x", params.MaxSchemaBytes) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, params.Check([]byte(schema), []byte(`{}`)), params.ErrUnusableSchema)
		})
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"a":1}`), []byte(`{"b":[null]}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		m, err := params.Merge(params.Source{JSON: a}, params.Source{JSON: b, Secret: true})
		if err != nil || m.JSON == nil {
			return
		}
		again, err := params.Merge(params.Source{JSON: m.JSON})
		require.NoError(t, err)
		assert.Equal(t, m.Checksum, again.Checksum, "merging what was merged changes nothing")
	})
}

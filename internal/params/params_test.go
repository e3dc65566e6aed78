package params_test

import (
	"fmt"
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
		"a reference to a schema we know":         `{"$ref":"http://json-schema.org/draft-04/schema#"}`,
		"a reference that depends on the way":     `{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicRef":"#a","$defs":{"a":{"$dynamicAnchor":"a"}}}`,
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

// doublings is how deep doubling is.
const doublings = 40

// doubling is a schema that refers to itself twice on each of forty levels, so that
// checking it naively takes 2^40 steps: anybody who can register a broker can
// send it.
func doubling(level string) string {
	var b strings.Builder
	b.WriteString(`{"definitions":{"l0":{"type":"object","minProperties":0}`)
	for i := range doublings {
		fmt.Fprintf(&b, `,"l%d":%s`, i+1, strings.ReplaceAll(level, "#", fmt.Sprintf(`{"$ref":"#/definitions/l%d"}`, i)))
	}
	fmt.Fprintf(&b, `},"allOf":[{"$ref":"#/definitions/l%d"}]}`, doublings)
	return b.String()
}

func TestASchemaCannotKeepUsBusy(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"x":`, 40) + `1` + strings.Repeat(`}`, 40)
	for name, tc := range map[string]struct{ schema, in string }{
		"by allOf":              {doubling(`{"allOf":[#,#]}`), `{}`},
		"by anyOf that fails":   {strings.Replace(doubling(`{"anyOf":[#,#]}`), `"object"`, `"string"`, 1), `{}`},
		"behind a not":          {doubling(`{"not":{"oneOf":[#,#,{"type":"string"}]}}`), `{}`},
		"down in the value":     {doubling(`{"properties":{"x":#},"patternProperties":{"x":#}}`), deep},
		"by a schema of itself": {`{"properties":{"x":{"$ref":"#"}},"additionalProperties":{},"patternProperties":{"^x":{"$ref":"#"}}}`, deep},
		"in a later draft":      {strings.Replace(doubling(`{"if":#,"then":#,"format":"date"}`), `{`, `{"$schema":"https://json-schema.org/draft/2020-12/schema",`, 1), `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, params.Check([]byte(tc.schema), []byte(tc.in)), params.ErrUnusableSchema)
		})
	}
}

func TestAnHonestSchemaMayBeLarge(t *testing.T) {
	t.Parallel()
	tree := `{"properties":{"left":{"$ref":"#"},"right":{"$ref":"#"},"n":{"type":"integer","format":"int32"}},"additionalProperties":false}`
	value := `{"n":1}`
	for range 10 { // 2,000 objects
		value = `{"left":` + value + `,"right":` + value + `}`
	}
	require.NoError(t, params.Check([]byte(tree), []byte(value)))
	require.ErrorContains(t, params.Check([]byte(tree), []byte(strings.Replace(value, `"n":1`, `"m":1`, 1))), `must not have "m"`)
	list := `{"properties":{"all":{"items":{"type":"string","format":"date","maxLength":10}}}}`
	require.NoError(t, params.Check([]byte(list), []byte(`{"all":[`+strings.Repeat(`"2026-01-01",`, 50000)+`"2026-01-01"]}`)))
}

func TestAProblemIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	schema := `{"properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"minLength":9}},"additionalProperties":false,
		"anyOf":[{"required":["z"]},{"required":["z"]}]}`
	in := `{"a":"x","b":"x","c":"x","k":1,"l":1,"m":1,"n":1}`
	want := `parameter "a" must be of type integer; parameter "b" must be of type integer; ` +
		`parameter "c" does not keep the schema's "minLength"; parameters must have "z"; parameters must not have "k", "l", "m", "n"`
	for range 30 {
		require.EqualError(t, params.Check([]byte(schema), []byte(in)), want)
	}
}

func TestAProblemIsASentence(t *testing.T) {
	t.Parallel()
	var wrong, allowed []string
	for i := range 2000 {
		wrong = append(wrong, fmt.Sprintf(`"unknown-%d":1`, i))
		allowed = append(allowed, fmt.Sprintf(`"value-%d"`, i))
	}
	for name, tc := range map[string]struct{ schema, in string }{
		"many unknown fields": {`{"additionalProperties":false}`, `{` + strings.Join(wrong, ",") + `}`},
		"many allowed values": {`{"properties":{"a":{"enum":[` + strings.Join(allowed, ",") + `]}}}`, `{"a":1}`},
		"a long pattern":      {`{"properties":{"a":{"pattern":"` + strings.Repeat("x", 5000) + `"}}}`, `{"a":"y"}`},
		"a long path":         {`{"additionalProperties":{"type":"string"}}`, `{"` + strings.Repeat("x", 5000) + `":1}`},
		"many of all that":    {`{"additionalProperties":{"enum":[` + strings.Join(allowed, ",") + `]}}`, `{` + strings.Join(wrong, ",") + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := params.Check([]byte(tc.schema), []byte(tc.in))
			require.Error(t, err)
			assert.NotErrorIs(t, err, params.ErrUnusableSchema)
			assert.Less(t, len(err.Error()), 1000)
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

package params_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/params"
)

// stated are parameters as a user gives them: in the spec, and in a Secret.
func stated(t *testing.T, spec, secret string) params.Merged {
	t.Helper()
	m, err := params.Merge(params.Source{JSON: []byte(spec)}, params.Source{JSON: []byte(secret), Secret: true})
	require.NoError(t, err)
	return m
}

func TestDefaultsLieBelowWhatIsStated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ class, plan, user, secret, want, shown string }{
		"none":                     {user: `{"a":1}`, want: `{"a":1}`, shown: `{"a":1}`},
		"none at all":              {class: `{}`, plan: `null`},
		"of the class":             {class: `{"a":1}`, want: `{"a":1}`, shown: `{"a":1}`},
		"the plan goes before":     {class: `{"a":1,"b":1}`, plan: `{"a":2}`, want: `{"a":2,"b":1}`, shown: `{"a":2,"b":1}`},
		"the user goes before":     {class: `{"a":1}`, plan: `{"a":2}`, user: `{"a":3}`, want: `{"a":3}`, shown: `{"a":3}`},
		"objects are merged":       {plan: `{"a":{"b":1,"c":{"d":1}}}`, user: `{"a":{"c":{"e":2}}}`, want: `{"a":{"b":1,"c":{"d":1,"e":2}}}`, shown: `{"a":{"b":1,"c":{"d":1,"e":2}}}`},
		"lists are not":            {plan: `{"a":[1,2]}`, user: `{"a":[3]}`, want: `{"a":[3]}`, shown: `{"a":[3]}`},
		"null is a value":          {plan: `{"a":1}`, user: `{"a":null}`, want: `{"a":null}`, shown: `{"a":null}`},
		"secrets stay hidden":      {plan: `{"a":{"b":1}}`, secret: `{"a":{"c":"hunter2"}}`, want: `{"a":{"b":1,"c":"hunter2"}}`, shown: `{"a":"<redacted>"}`},
		"numbers keep every digit": {plan: `{"a":12345678901234567890}`, user: `{"b":1.10}`, want: `{"a":12345678901234567890,"b":1.10}`, shown: `{"a":12345678901234567890,"b":1.10}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defaults, err := params.Defaults([]byte(tc.class), []byte(tc.plan))
			require.NoError(t, err)
			m, err := stated(t, tc.user, tc.secret).Over(defaults)
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(m.JSON))
			assert.Equal(t, tc.shown, string(m.Redacted))
			assert.Equal(t, tc.want == "", m.Checksum == "")
		})
	}
	_, err := params.Defaults([]byte(`[]`), nil)
	require.ErrorContains(t, err, "of the class: not a JSON object")
	_, err = params.Defaults(nil, []byte(`7`))
	require.ErrorContains(t, err, "of the plan: not a JSON object")
}

func TestAChecksumIsKnownInEveryForm(t *testing.T) {
	t.Parallel()
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	m := stated(t, `{"b":12345678901234567890,"a":"<x>&"}`, "")
	assert.True(t, m.Is(m.Checksum))
	assert.True(t, m.Is(hash(`{"a":"\u003cx\u003e\u0026","b":12345678901234567000}`)), "as v0.3 wrote it")
	assert.False(t, m.Is(hash(`{"a":"other"}`)))
	assert.False(t, m.Is(""))
	none := stated(t, "", "")
	assert.True(t, none.Is(""))
	assert.False(t, none.Is(m.Checksum))
}

func TestAnUpdateSendsWhatTheUserStates(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ defaults, user, before, want string }{
		"all that is stated":                   {user: `{"a":1,"b":2}`, before: `{"a":1,"b":1}`, want: `{"a":1,"b":2}`},
		"no default that was sent before":      {defaults: `{"size":10}`, user: `{"a":2}`, before: `{"a":1,"size":10}`, want: `{"a":2}`},
		"the default behind what was dropped":  {defaults: `{"size":10}`, user: ``, before: `{"size":20}`, want: `{"size":10}`},
		"an empty object for what was cleared": {user: ``, before: `{"a":1}`, want: `{}`},
		"all if nothing is recorded":           {defaults: `{"size":10}`, user: `{"a":1}`, before: ``, want: `{"a":1,"size":10}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := stated(t, tc.user, "")
			m, err := user.Over([]byte(tc.defaults))
			require.NoError(t, err)
			got, err := m.Stated(user, []byte(tc.before))
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(got))
		})
	}
}

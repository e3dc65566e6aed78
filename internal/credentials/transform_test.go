package credentials

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func addKeyOf(key, expression string) v1beta1.SecretTransform {
	return v1beta1.SecretTransform{AddKey: &v1beta1.AddKeyTransform{Key: key, JSONPathExpression: &expression}}
}

func TestTransform(t *testing.T) {
	t.Parallel()
	str := func(s string) *string { return &s }
	ref := v1beta1.ObjectReference{Namespace: "shop", Name: "extra"}
	rename := func(from, to string) v1beta1.SecretTransform {
		return v1beta1.SecretTransform{RenameKey: &v1beta1.RenameKeyTransform{From: from, To: to}}
	}
	from := v1beta1.SecretTransform{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &ref}}
	for name, tc := range map[string]struct {
		list []v1beta1.SecretTransform
		want map[string]string
	}{
		"a key is renamed over another":           {[]v1beta1.SecretTransform{rename("a", "n")}, map[string]string{"n": "1", "b": `{"c":"deep"}`}},
		"a key that is missing is not renamed":    {[]v1beta1.SecretTransform{rename("x", "a")}, map[string]string{"a": "1", "n": "5", "b": `{"c":"deep"}`}},
		"a key is removed, and one that is not":   {[]v1beta1.SecretTransform{{RemoveKey: &v1beta1.RemoveKeyTransform{Key: "b"}}, {RemoveKey: &v1beta1.RemoveKeyTransform{Key: "x"}}}, map[string]string{"a": "1", "n": "5"}},
		"an expression comes before a text":       {[]v1beta1.SecretTransform{{AddKey: &v1beta1.AddKeyTransform{Key: "b", JSONPathExpression: str("{.b.c}-{.n}"), StringValue: str("t"), Value: []byte("v")}}}, map[string]string{"a": "1", "n": "5", "b": "deep-5"}},
		"a text comes before bytes":               {[]v1beta1.SecretTransform{{AddKey: &v1beta1.AddKeyTransform{Key: "b", StringValue: str("t"), Value: []byte("v")}}}, map[string]string{"a": "1", "n": "5", "b": "t"}},
		"bytes are raw":                           {[]v1beta1.SecretTransform{{AddKey: &v1beta1.AddKeyTransform{Key: "b", Value: []byte{0xff}}}}, map[string]string{"a": "1", "n": "5", "b": "\xff"}},
		"all keys of a Secret are copied over":    {[]v1beta1.SecretTransform{from}, map[string]string{"a": "theirs", "n": "5", "b": `{"c":"deep"}`, "more": "x"}},
		"what is copied can be renamed afterward": {[]v1beta1.SecretTransform{from, rename("more", "b")}, map[string]string{"a": "theirs", "n": "5", "b": "x"}},
		"an expression sees what was copied":      {[]v1beta1.SecretTransform{from, addKeyOf("b", "{.more}{.a}")}, map[string]string{"a": "theirs", "n": "5", "b": "xtheirs", "more": "x"}},
		"what comes later wins over a copy":       {[]v1beta1.SecretTransform{from, addKeyOf("a", "{.n}")}, map[string]string{"a": "5", "n": "5", "b": `{"c":"deep"}`, "more": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := creds(t, `{"a":"1","n":5,"b":{"c":"deep"}}`)
			out, err := Transform(tc.list, in, map[v1beta1.ObjectReference]map[string][]byte{ref: {"a": []byte("theirs"), "more": []byte("x")}})
			require.NoError(t, err)
			data, _, err := secretData(out)
			require.NoError(t, err)
			assert.Equal(t, tc.want, asText(data))
			assert.Equal(t, "1", in["a"], "the original is untouched")
		})
	}
	_, err := Transform([]v1beta1.SecretTransform{from}, nil, nil)
	require.ErrorContains(t, err, `spec.secretTransforms[0].addKeysFrom: there is no Secret "extra" in namespace "shop"; create it`)
	assert.Equal(t, []v1beta1.ObjectReference{ref}, Sources([]v1beta1.SecretTransform{from, rename("a", "b"), from}))
}

func TestATransformThatDoesNotFitNamesNoValue(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"{.password.x}", "{.password[3]}", "{.missing}", `{.l[?(@.a > 3)].b}`} {
		_, err := Transform([]v1beta1.SecretTransform{addKeyOf("k", bad)}, creds(t, `{"password":"hunter2","l":[{"a":"hunter2"}]}`), nil)
		if err != nil {
			require.ErrorContains(t, err, `spec.secretTransforms[0]: addKey "k"`)
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	wide := creds(t, `{"l":[`+strings.Repeat(`{"l":[1,2,3]},`, 300)+`1]}`)
	for _, bomb := range []string{
		`{range .l[*]}{range $.l[*]}{range $.l[*]}{.l}{end}{end}{end}`,
		`{..l..l..l..l}`,
		`{` + strings.Repeat(`[*,*,*,*,*,*,*,*]`, 12) + `}`,
	} {
		_, err := Transform([]v1beta1.SecretTransform{addKeyOf("k", bomb)}, wide, nil)
		require.ErrorContains(t, err, "visits too many values", bomb)
	}
	out, err := Transform([]v1beta1.SecretTransform{addKeyOf("k", `{range .l[*]}{.l[0]};{end}{range .l[*]}{.l[1]}{end}`)}, creds(t, `{"l":[{"l":[1,2]},{"l":[3,4]}]}`), nil)
	require.NoError(t, err)
	assert.Equal(t, "1;3;24", out["k"], "what people write passes")
}

package controllers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

func asText(data map[string][]byte) map[string]string {
	m := map[string]string{}
	for k, v := range data {
		m[k] = string(v)
	}
	return m
}

func credentialsOf(t *testing.T, json string) osb.Credentials {
	t.Helper()
	var c osb.Credentials
	require.NoError(t, c.UnmarshalJSON([]byte(json)))
	return c
}

func TestSecretData(t *testing.T) {
	t.Parallel()
	meta := secretMeta{Type: "postgresql", Provider: "pg", Extra: map[string]string{"plan": "small"}}
	for name, tc := range map[string]struct {
		in      string
		amount  v1beta1.SecretMetadata
		want    map[string]string
		leftOut []string
	}{
		"strings are raw, all else is compact JSON": {
			in:   `{"u":"a","n":5,"f":1.50,"b":true,"z":null,"o":{"a":"<b>"},"l":[1, 2]}`,
			want: map[string]string{"u": "a", "n": "5", "f": "1.50", "b": "true", "z": "null", "o": `{"a":"<b>"}`, "l": "[1,2]", "type": "postgresql", "provider": "pg"}},
		"large numbers keep their digits": {
			in: `{"n":12345678901234567890}`, amount: v1beta1.SecretMetadataNone, want: map[string]string{"n": "12345678901234567890"}},
		"keys that no Secret can have are left out": {
			in: `{"a b":"x","ok":"y",".." :"z"}`, amount: v1beta1.SecretMetadataNone, want: map[string]string{"ok": "y"}, leftOut: []string{"..", "a b"}},
		"full metadata does not hide a credential": {
			in: `{"plan":"mine"}`, amount: v1beta1.SecretMetadataFull, want: map[string]string{"plan": "mine", "type": "postgresql", "provider": "pg"}},
		"no credentials are an empty Secret but for metadata": {in: `{}`, want: map[string]string{"type": "postgresql", "provider": "pg"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := meta
			m.Amount = tc.amount
			got, left, err := secretData(credentialsOf(t, tc.in), m)
			require.NoError(t, err)
			assert.Equal(t, tc.want, asText(got))
			assert.Equal(t, tc.leftOut, left)
		})
	}
}

func TestEffectiveWord(t *testing.T) {
	t.Parallel()
	c := credentialsOf(t, `{"type":"mysql"}`)
	assert.Equal(t, "mine", effective("mine", c, "type", "class"), "the binding's own comes first")
	assert.Equal(t, "mysql", effective("", c, "type", "class"), "then the broker's")
	assert.Equal(t, "class", effective("", nil, "type", "class"), "then the catalog's")
}

func TestEnvData(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in      osb.Credentials
		want    map[string]string
		leftOut []string
	}{
		"names become fit for a shell": {
			in: osb.Credentials{"user-name": "a", "accessKey": "b", "o": map[string]any{"x": "y"}}, want: map[string]string{"USER_NAME": "a", "ACCESS_KEY": "b", "O": `{"x":"y"}`}},
		"of names that meet, none is taken": {
			in: osb.Credentials{"a-b": "1", "a_b": "2", "a.b": "3", "c": "4"}, want: map[string]string{"C": "4"}, leftOut: []string{"a-b", "a.b", "a_b"}},
		"names of loaders, shells and runtimes are left out": {
			in: osb.Credentials{"path": "1", "LD_PRELOAD": "2", "nodeOptions": "3", "uri": "4"}, want: map[string]string{"URI": "4"}, leftOut: []string{"LD_PRELOAD", "nodeOptions", "path"}},
		"values that are no text are left out": {
			in: osb.Credentials{"nul": "a\x00b", "bin": string([]byte{0xff, 0xfe}), "ok": "ü"}, want: map[string]string{"OK": "ü"}, leftOut: []string{"bin", "nul"}},
		"values that are too long are left out": {
			in: osb.Credentials{"ca": strings.Repeat("x", 32<<10+1), "fits": strings.Repeat("x", 3)}, want: map[string]string{"FITS": "xxx"}, leftOut: []string{"ca"}},
		"keys without a letter are left out": {in: osb.Credentials{"-": "x"}, want: map[string]string{}, leftOut: []string{"-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, left, err := envData(tc.in)
			require.NoError(t, err)
			assert.Equal(t, tc.want, asText(got))
			assert.Equal(t, tc.leftOut, left)
		})
	}
}

func TestTransform(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	creds := osb.Credentials{"a": "1", "b": map[string]any{"c": "deep"}}
	got, err := transform([]v1beta1.SecretTransform{
		{RenameKey: &v1beta1.RenameKeyTransform{From: "a", To: "x"}},
		{RenameKey: &v1beta1.RenameKeyTransform{From: "missing", To: "b"}},
		{AddKey: &v1beta1.AddKeyTransform{Key: "path", JSONPathExpression: text("{.b.c}"), StringValue: text("not this")}},
		{AddKey: &v1beta1.AddKeyTransform{Key: "text", StringValue: text("t"), Value: []byte("not this")}},
		{AddKey: &v1beta1.AddKeyTransform{Key: "bytes", Value: []byte("v")}},
		{RemoveKey: &v1beta1.RemoveKeyTransform{Key: "b"}},
	}, creds)
	require.NoError(t, err)
	assert.Equal(t, osb.Credentials{"x": "1", "path": "deep", "text": "t", "bytes": []byte("v")}, got)
	assert.Contains(t, creds, "a", "the original is untouched")
}

func TestATransformThatDoesNotFitNamesNoValue(t *testing.T) {
	t.Parallel()
	bad := "{.password.x"
	_, err := transform([]v1beta1.SecretTransform{{AddKey: &v1beta1.AddKeyTransform{Key: "k", JSONPathExpression: &bad}}}, osb.Credentials{"password": "hunter2"})
	require.ErrorContains(t, err, `spec.secretTransforms[0]: addKey "k"`)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestLeftOutMessageIsBounded(t *testing.T) {
	t.Parallel()
	keys := make([]string, 30)
	for i := range keys {
		keys[i] = "k"
	}
	assert.Contains(t, leftOutMessage(keys), "and 10 more")
}

package credentials

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// creds are credentials as a broker's answer is decoded.
func creds(t testing.TB, text string) map[string]any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var c map[string]any
	require.NoError(t, dec.Decode(&c))
	return c
}

func asText(data map[string][]byte) map[string]string {
	m := map[string]string{}
	for k, v := range data {
		m[k] = string(v)
	}
	return m
}

// input is a binding of a database with all that a catalog says.
func input(c map[string]any, spec v1beta1.ServiceBindingSpec) Input {
	return Input{
		Credentials: c, Spec: &spec, Binding: "orders-db", Namespace: "shop", BindingID: "b-1",
		Instance: "orders", InstanceID: "i-1", Class: "postgresql", Plan: "small", Broker: "pg", Tags: []string{"sql"},
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	none := v1beta1.SecretMetadataNone
	for name, tc := range map[string]struct {
		in           string
		spec         v1beta1.ServiceBindingSpec
		kind         string
		want, env    map[string]string
		left, noVars []string
	}{
		"strings are raw, all else is compact JSON": {
			in:   `{"u":"a","n":5,"f":1.50,"b":true,"z":null,"o":{"a":"<b>"},"l":[1, 2]}`,
			want: map[string]string{"u": "a", "n": "5", "f": "1.50", "b": "true", "z": "null", "o": `{"a":"<b>"}`, "l": "[1,2]", "type": "postgresql", "provider": "pg"},
			env:  map[string]string{"U": "a", "N": "5", "F": "1.50", "B": "true", "Z": "null", "O": `{"a":"<b>"}`, "L": "[1,2]"}},
		"large numbers keep their digits": {
			in: `{"n":12345678901234567890}`, spec: v1beta1.ServiceBindingSpec{SecretMetadata: none},
			want: map[string]string{"n": "12345678901234567890"}, env: map[string]string{"N": "12345678901234567890"}},
		"keys that no Secret can have are left out of it, and are variables all the same": {
			in: `{"a b":"x","ok":"y"}`, spec: v1beta1.ServiceBindingSpec{SecretMetadata: none},
			want: map[string]string{"ok": "y"}, env: map[string]string{"A_B": "x", "OK": "y"}, left: []string{"a b"}},
		"of names that meet none is a variable": {
			in: `{"a-b":"1","a_b":"2","c":"3"}`, spec: v1beta1.ServiceBindingSpec{SecretMetadata: none},
			want: map[string]string{"a-b": "1", "a_b": "2", "c": "3"}, env: map[string]string{"C": "3"}, noVars: []string{"a-b", "a_b"}},
		"the binding's own type and provider come first": {
			in: `{"type":"mysql"}`, spec: v1beta1.ServiceBindingSpec{Type: "db", Provider: "us"}, kind: "servicebinding.io/db",
			want: map[string]string{"type": "db", "provider": "us"}, env: map[string]string{"TYPE": "mysql"}},
		"then the broker's": {
			in: `{"type":"mysql"}`, kind: "servicebinding.io/mysql", want: map[string]string{"type": "mysql", "provider": "pg"}, env: map[string]string{"TYPE": "mysql"}},
		"full metadata does not hide a credential": {
			in: `{"plan":"mine"}`, spec: v1beta1.ServiceBindingSpec{SecretMetadata: v1beta1.SecretMetadataFull},
			want: map[string]string{"plan": "mine", "instance": "orders", "tags": `["sql"]`, "type": "postgresql", "provider": "pg"}, env: map[string]string{"PLAN": "mine"}},
		"one key can hold all credentials as JSON": {
			in:   `{"n":1.0,"u":"a"}`,
			spec: v1beta1.ServiceBindingSpec{SecretMetadata: none, SecretTemplate: &v1beta1.SecretTemplate{JSONKey: "credentials.json"}},
			want: map[string]string{"credentials.json": `{"n":1.0,"u":"a"}`}, env: map[string]string{"CREDENTIALS_JSON": `{"n":1.0,"u":"a"}`}},
		"a template makes keys beside the credentials, and replaces theirs": {
			in: `{"host":"h","port":5432,"uri":"old","password":"p@ss"}`,
			spec: v1beta1.ServiceBindingSpec{SecretMetadata: none, SecretTemplate: &v1beta1.SecretTemplate{
				Type: "kubernetes.io/basic-auth",
				StringData: map[string]string{
					"uri": "pg://{{ .password | urlquery }}@{{ .host }}:{{ .credentials.port }}/{{ .instance.name }}?{{ .type }}",
					"URI": "mine"}}},
			kind:   "kubernetes.io/basic-auth",
			want:   map[string]string{"host": "h", "port": "5432", "password": "p@ss", "uri": "pg://p%40ss@h:5432/orders?postgresql", "URI": "mine"},
			env:    map[string]string{"HOST": "h", "PORT": "5432", "PASSWORD": "p@ss"},
			noVars: []string{"URI", "uri"}},
		"a key that the user made wins the variable": {
			in: `{"data-base":"old"}`,
			spec: v1beta1.ServiceBindingSpec{SecretMetadata: none, SecretTemplate: &v1beta1.SecretTemplate{
				StringData: map[string]string{"DATA_BASE": "new"}}},
			want: map[string]string{"data-base": "old", "DATA_BASE": "new"}, env: map[string]string{"DATA_BASE": "new"}, noVars: []string{"data-base"}},
		"no credentials are an empty Secret but for metadata": {
			in: `{}`, want: map[string]string{"type": "postgresql", "provider": "pg"}, env: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Render(input(creds(t, tc.in), tc.spec))
			require.NoError(t, err)
			assert.Equal(t, tc.want, asText(got.Data))
			assert.Equal(t, tc.env, asText(got.Env))
			assert.Equal(t, tc.left, got.LeftOut)
			assert.ElementsMatch(t, tc.noVars, got.LeftOutOfEnv)
			if tc.kind == "" {
				tc.kind = "servicebinding.io/postgresql"
			}
			assert.Equal(t, tc.kind, got.Type)
		})
	}
}

func TestVCAPServices(t *testing.T) {
	t.Parallel()
	out, err := Render(input(creds(t, `{"n":1.0,"u":"a"}`), v1beta1.ServiceBindingSpec{SecretTemplate: &v1beta1.SecretTemplate{VCAPServicesKey: "VCAP_SERVICES"}}))
	require.NoError(t, err)
	assert.JSONEq(t, `{"postgresql":[{"name":"orders-db","binding_name":"orders-db","binding_guid":"b-1","instance_name":"orders","instance_guid":"i-1",
		"label":"postgresql","plan":"small","provider":null,"tags":["sql"],"syslog_drain_url":null,"volume_mounts":[],"credentials":{"n":1.0,"u":"a"}}]}`, string(out.Data["VCAP_SERVICES"]))
	assert.Equal(t, out.Data["VCAP_SERVICES"], out.Env["VCAP_SERVICES"])
	assert.Equal(t, "a", string(out.Data["u"]), "the credentials keep their keys")
	_, err = Render(input(creds(t, `{"v":"x"}`), v1beta1.ServiceBindingSpec{SecretTemplate: &v1beta1.SecretTemplate{VCAPServicesKey: "v"}}))
	require.ErrorContains(t, err, `spec.secretTemplate.vcapServicesKey: the credentials have a key "v" already`)
}

func TestLabelsAndAnnotationsSeeNoCredentials(t *testing.T) {
	t.Parallel()
	spec := v1beta1.ServiceBindingSpec{SecretTemplate: &v1beta1.SecretTemplate{
		Labels: map[string]string{"app": "{{ .instance.name }}"}, Annotations: map[string]string{"example.com/note": "for {{ .binding.name }}"}}}
	out, err := Render(input(creds(t, `{"password":"hunter2"}`), spec))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"app": "orders"}, out.Labels)
	assert.Equal(t, map[string]string{"example.com/note": "for orders-db"}, out.Annotations)
	for _, text := range []string{"{{ .password }}", "{{ .credentials.password }}"} {
		spec.SecretTemplate.Labels["app"] = text
		_, err = Render(input(creds(t, `{"password":"hunter2"}`), spec))
		require.ErrorContains(t, err, `spec.secretTemplate.labels["app"], line 1`)
	}
}

func TestASecretThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Render(input(map[string]any{"a": strings.Repeat("x", 600<<10), "b": strings.Repeat("x", 600<<10)}, v1beta1.ServiceBindingSpec{}))
	require.ErrorContains(t, err, "a Secret holds 1 MiB at most")
}

func TestEnvData(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in      map[string]any
		want    map[string]string
		leftOut []string
	}{
		"names become fit for a shell": {
			in: map[string]any{"user-name": "a", "accessKey": "b", "o": map[string]any{"x": "y"}}, want: map[string]string{"USER_NAME": "a", "ACCESS_KEY": "b", "O": `{"x":"y"}`}},
		"of names that meet, none is taken": {
			in: map[string]any{"a-b": "1", "a_b": "2", "a.b": "3", "c": "4"}, want: map[string]string{"C": "4"}, leftOut: []string{"a-b", "a.b", "a_b"}},
		"names of loaders, shells and runtimes are left out": {
			in: map[string]any{"path": "1", "LD_PRELOAD": "2", "nodeOptions": "3", "uri": "4"}, want: map[string]string{"URI": "4"}, leftOut: []string{"LD_PRELOAD", "nodeOptions", "path"}},
		"values that are no text are left out": {
			in: map[string]any{"nul": "a\x00b", "bin": string([]byte{0xff, 0xfe}), "ok": "ü"}, want: map[string]string{"OK": "ü"}, leftOut: []string{"bin", "nul"}},
		"values that are too long are left out": {
			in: map[string]any{"ca": strings.Repeat("x", 32<<10+1), "fits": strings.Repeat("x", 3)}, want: map[string]string{"FITS": "xxx"}, leftOut: []string{"ca"}},
		"keys without a letter are left out": {in: map[string]any{"-": "x"}, want: map[string]string{}, leftOut: []string{"-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, left, err := envData(tc.in, nil)
			require.NoError(t, err)
			assert.Equal(t, tc.want, asText(got))
			assert.Equal(t, tc.leftOut, left)
		})
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	one := Digest([]byte("key"), map[string][]byte{"a": []byte("bc"), "d": nil})
	assert.Equal(t, one, Digest([]byte("key"), map[string][]byte{"d": {}, "a": []byte("bc")}), "order and emptiness do not matter")
	assert.NotEqual(t, one, Digest([]byte("other"), map[string][]byte{"a": []byte("bc"), "d": nil}), "the key does")
	assert.NotEqual(t, one, Digest([]byte("key"), map[string][]byte{"ab": []byte("c"), "d": nil}), "so does where a key ends")
	assert.NotEqual(t, one, Digest([]byte("key"), map[string][]byte{"a": []byte("bc")}), "and that a key is there")
}

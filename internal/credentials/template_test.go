package credentials

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestTemplateFunctions(t *testing.T) {
	t.Parallel()
	root := creds(t, `{"host":"h","port":5432,"password":"a b/c","hosts":["x","y"],"json":"{\"k\":[1,2.50]}","none":null,"o":{"b":1,"a":"<>"}}`)
	for text, want := range map[string]string{
		`{{ .host }}:{{ .port }}`: "h:5432",
		`{{ .none }}`:             "",
		`{{ .password | urlquery }} {{ .password | urlpath }}`:                           "a+b%2Fc a%20b%2Fc",
		`{{ range $i, $h := .hosts }}{{ if $i }},{{ end }}{{ $h }}{{ end }}`:             "x,y",
		`{{ join "," .hosts }} {{ index .hosts 1 }} {{ len .hosts }}`:                    "x,y y 2",
		`{{ split "b" .password | join "-" }}`:                                           "a -/c",
		`{{ (fromJson .json).k | toJson }} {{ .o | toJson }} {{ .o }}`:                   `[1,2.50] {"a":"<>","b":1} map[a:<> b:1]`,
		`{{ b64enc .host }}{{ b64dec "aGk=" }}`:                                          "aA==hi",
		`{{ quote .host }} {{ squote "it's" }}`:                                          `"h" 'it'\''s'`,
		`{{ upper .host }}{{ lower "A" }}{{ trim " a " }}`:                               "Haa",
		`{{ trimPrefix "a " .password }}{{ trimSuffix "c" .password }}`:                  "b/ca b/",
		`{{ replace "/" "-" .password }}`:                                                "a b-c",
		`{{ default "d" .none }}{{ default "d" .host }}`:                                 "dh",
		`{{ if hasKey .o "a" }}{{ join "," (keys .o) }}{{ end }}`:                        "a,b",
		`{{ hasPrefix "a" .password }}{{ hasSuffix "x" .host }}{{ contains "h" .host }}`: "truefalsetrue",
		`{{ printf "%s:%d %% %q %v" .host .port .host .o }}`:                             `h:5432 % "h" {"a":"<>","b":1}`,
		`{{ print .host .port }}{{ println "x" }}`:                                       "h5432x\n",
		`{{ if and (eq .host "h") (ne .port "1") }}yes{{ else }}no{{ end }}`:             "yes",
		`{{ with .o }}{{ .a }}{{ end }}{{/* a comment */}}`:                              "<>",
		`{{ required "need" .host }}`:                                                    "h",
		``:                                                                               "",
	} {
		got, err := render("f", text, root)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestWhatATemplateMayNotDo(t *testing.T) {
	t.Parallel()
	root := creds(t, `{"password":"hunter2","l":[1,2,3]}`)
	for name, tc := range map[string]struct{ text, why string }{
		"a missing key":                      {"a\n{{ .passwort }}", `f, line 2, column 3, at ".passwort" does not fit the credentials: a key is missing there`},
		"a missing key of a value":           {"{{ .password.x }}", "another kind"},
		"a function that is not on the list": {"\n\n{{ .password | js }}", `f, line 3: the function "js" is not available here`},
		"call":                               {"{{ call .password }}", `"call" is not available`},
		"a function in a range in a chain":   {"{{ range .l }}{{ (html .).x }}{{ end }}", `"html" is not available`},
		"env":                                {`{{ env "PATH" }}`, `f cannot be read: 1: function "env" not defined`},
		"another template":                   {`{{ define "x" }}{{ end }}{{ template "x" }}`, "define, block and template are not available"},
		"a template in itself":               {`{{ template "t" . }}`, "define, block and template are not available"},
		"a syntax error":                     {"{{ .a ", "f cannot be read: 1: unclosed action"},
		"an endless range":                   {"{{ range 1000000000000 }}{{ end }}", "it does too much"},
		"ranges in one another":              {"{{ range 10000 }}{{ range 10000 }}{{ end }}{{ end }}", "it does too much"},
		"a variable that doubles":            {`{{ $x := "aaaaaaaa" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}`, "it makes more than 1 MiB"},
		"a megabyte many times":              {`{{ $x := "aaaaaaaa" }}{{ range 16 }}{{ $x = print $x $x }}{{ end }}{{ range 90000 }}{{ $y := upper $x }}{{ end }}`, "it does too much"},
		"too much output":                    {`{{ range 90000 }}aaaaaaaaaaaaaaaaaaaa{{ end }}`, "it makes more than 1 MiB"},
		"a replacement that explodes":        {`{{ $x := "aaaaaaaa" }}{{ range 12 }}{{ $x = print $x $x }}{{ end }}{{ replace "a" $x $x }}`, "it makes more than 1 MiB"},
		"a wide format":                      {`{{ printf "%1000000d" 1 }}`, "printf knows"},
		"a value in an error of a function":  {`{{ b64dec .password }}`, "b64dec is given what is no base64"},
		"a value in an index":                {`{{ index .l .password }}`, "another kind"},
		"a value as a function":              {`{{ .password .password }}`, "another kind"},
		"a value that is required":           {`{{ required .password "" }}`, "it needs a value that is empty"},
		"its own text":                       {strings.Repeat("a", 64<<10+1), "longer than 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := render("f", tc.text, root)
			require.ErrorContains(t, err, tc.why)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Less(t, time.Since(start), 5*time.Second)
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	type template = v1beta1.SecretTemplate
	for name, tc := range map[string]struct {
		spec v1beta1.ServiceBindingSpec
		why  string
	}{
		"an expression that cannot be read": {v1beta1.ServiceBindingSpec{SecretTransforms: []v1beta1.SecretTransform{addKeyOf("k", "{.a")}}, `spec.secretTransforms[0]: addKey "k"`},
		"a template that cannot be read":    {v1beta1.ServiceBindingSpec{SecretTemplate: &template{StringData: map[string]string{"a": "{{"}}}, `spec.secretTemplate.stringData["a"] cannot be read`},
		"a label's template":                {v1beta1.ServiceBindingSpec{SecretTemplate: &template{Labels: map[string]string{"a": "{{ js . }}"}}}, `spec.secretTemplate.labels["a"], line 1`},
		"a label of ours":                   {v1beta1.ServiceBindingSpec{SecretTemplate: &template{Labels: map[string]string{v1beta1.LabelManaged: "x"}}}, "is reserved"},
		"an annotation below ours":          {v1beta1.ServiceBindingSpec{SecretTemplate: &template{Annotations: map[string]string{"x.servicecatalog.k8s.io/y": "x"}}}, "is reserved"},
		"an annotation that gives a token":  {v1beta1.ServiceBindingSpec{SecretTemplate: &template{Annotations: map[string]string{"kubernetes.io/service-account.name": "admin"}}}, "is reserved"},
		"a type that gives a token":         {v1beta1.ServiceBindingSpec{SecretTemplate: &template{Type: "kubernetes.io/service-account-token"}}, "is not for credentials"},
		"a label without a name":            {v1beta1.ServiceBindingSpec{SecretTemplate: &template{Labels: map[string]string{"a b": "x"}}}, "is no name for one"},
		"a key that no Secret can have":     {v1beta1.ServiceBindingSpec{SecretTemplate: &template{StringData: map[string]string{"a b": "x"}}}, "is no key that a Secret can have"},
		"one key for two things":            {v1beta1.ServiceBindingSpec{SecretTemplate: &template{JSONKey: "a", VCAPServicesKey: "a"}}, "are both"},
		"what is as it should be": {spec: v1beta1.ServiceBindingSpec{SecretTransforms: []v1beta1.SecretTransform{addKeyOf("k", "{.a}")},
			SecretTemplate: &template{Labels: map[string]string{"app.kubernetes.io/name": "{{ .type }}"}, StringData: map[string]string{"a": "{{ .b }}"}, JSONKey: "j"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Check(&tc.spec)
			if tc.why == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.why)
		})
	}
}

// FuzzTemplate: no template panics, runs long, makes more than a Secret holds, or
// tells a value in an error.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		`{{ .host }}`, `{{ range .hosts }}{{ . | upper }}{{ end }}`, `{{ $x := print .o .hosts }}{{ range 9 }}{{ $x = print $x $x }}{{ end }}{{ $x }}`,
		`{{ index .o .password }}`, `{{ slice .password 0 100 }}`, `{{ with $x := fromJson .json }}{{ $x.k }}{{ else }}{{ break }}{{ end }}`,
		`{{ printf "%q%%" .password }}`, `{{ replace "" "x" .password }}`, `{{ block "t" . }}{{ end }}`, `{{ .port.Int64 }}`, `{{ eq .o .hosts }}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root := creds(t, `{"host":"h","port":5432,"password":"hunter2hunter2","hosts":["x","y"],"json":"{\"k\":[1]}","none":null,"o":{"b":1}}`)
		start := time.Now()
		out, err := render("f", text, root)
		assert.LessOrEqual(t, len(out), maxOutput)
		assert.Less(t, time.Since(start), 5*time.Second)
		if err != nil && !strings.Contains(text, "hunter") {
			assert.NotContains(t, err.Error(), "hunter2hunter2")
		}
	})
}

package inject_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/inject"
)

// mebibyte is what a patch may have, and then some for its last operation.
const mebibyte = 1 << 20

// many joins n texts, made of their numbers, by commas.
func many(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
	}
	return strings.Join(all, ",")
}

// podWith is a Pod's JSON with annotations of ours and a list of containers.
func podWith(t *testing.T, containers string, annotations map[string]string) string {
	t.Helper()
	ours := map[string]string{}
	for key, value := range annotations {
		ours["servicecatalog.k8s.io/"+key] = value
	}
	raw, err := json.Marshal(ours)
	require.NoError(t, err)
	return `{"metadata":{"annotations":` + string(raw) + `},"spec":{"containers":[` + containers + `]}}`
}

// TestAPodCannotMakeAPatchOfAnySize holds that what anybody may send costs no
// more memory and time than an honest Pod: an API server checks a Pod's size
// and form only after the webhooks.
func TestAPodCannotMakeAPatchOfAnySize(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		containers  string
		annotations map[string]string
		want        string
	}{
		"containers without end": {
			many(20000, `{"name":"c#"}`), map[string]string{"binding": many(inject.MaxBindings, "b#")},
			"would add more than 1048576 bytes to the Pod",
		},
		"a container with a name without end": {
			`{"name":"` + strings.Repeat("c", 200000) + `"}`, map[string]string{"binding": many(inject.MaxBindings, "b#")},
			"would add more than 1048576 bytes to the Pod",
		},
		"a prefix without end": {
			many(20, `{"name":"c#"}`), map[string]string{"binding": "b", "env-prefix": strings.Repeat("P", 200000)},
			"would add more than 1048576 bytes to the Pod",
		},
		"a mount path without end": {
			`{"name":"c"}`, map[string]string{"binding": "b", "mount-path": "/" + strings.Repeat("p", 200000)},
			"is longer than 3500 bytes",
		},
		"a root without end": {
			`{"name":"c","env":[{"name":"SERVICE_BINDING_ROOT","value":"/` + strings.Repeat("p", 200000) + `"}]}`, map[string]string{"binding": "b"},
			"is longer than 3500 bytes",
		},
		"variables without end": {
			`{"name":"c"}`, map[string]string{"binding": "b", "env": many(100000, "V#=k")},
			"more than 512 variables",
		},
		"names of containers without end": {
			`{"name":"c"}`, map[string]string{"binding": "b", "containers": many(100000, "c#")},
			"more than 100 containers",
		},
		"one container named without end": {
			`{"name":"c"}`, map[string]string{"binding": "b", "containers": many(100000, "c")},
			"more than 100 containers",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := inject.Inject([]byte(podWith(t, tc.containers, tc.annotations)), "shop", stored)
			refusal, ok := errors.AsType[*inject.Refusal](err)
			require.True(t, ok, "%v", err)
			assert.Contains(t, refusal.Message, tc.want)
			assert.Less(t, len(refusal.Message), 600)
		})
	}
}

func TestVariablesOfAllBindingsCountTogether(t *testing.T) {
	t.Parallel()
	envs := func(each int) map[string]string {
		out := map[string]string{}
		for _, name := range []string{"a", "b"} {
			out[name+".servicecatalog.k8s.io/env"] = many(each, strings.ToUpper(name)+"#=k")
		}
		return out
	}
	pod := func(each int) []byte {
		annotations := envs(each)
		annotations["servicecatalog.k8s.io/binding"] = "a,b"
		raw, err := json.Marshal(annotations)
		require.NoError(t, err)
		return []byte(`{"metadata":{"annotations":` + string(raw) + `},"spec":{"containers":[{"name":"c"}]}}`)
	}
	_, err := inject.Inject(pod(256), "shop", stored)
	require.NoError(t, err)
	_, err = inject.Inject(pod(257), "shop", stored)
	require.ErrorContains(t, err, "more than 512 variables")
}

func TestTheLargestPodThatAnybodyNeedsPasses(t *testing.T) {
	t.Parallel()
	raw := podWith(t, many(100, `{"name":"container-#"}`), map[string]string{"binding": many(inject.MaxBindings, "a-binding-with-a-name-#")})
	res, err := inject.Inject([]byte(raw), "shop", stored)
	require.NoError(t, err)
	assert.Less(t, len(res.Patch), mebibyte)
}

// TestWarningsEnd: the API server would cut thousands of them, after we made them.
func TestWarningsEnd(t *testing.T) {
	t.Parallel()
	own := `{"name":"c#","env":[` + many(50, `{"name":"V#","value":"mine"}`) + `]}`
	raw := podWith(t, many(50, own), map[string]string{"binding": "b", "env": many(50, "V#=k")})
	res, err := inject.Inject([]byte(raw), "shop", stored)
	require.NoError(t, err)
	assert.Len(t, res.Warnings, 64)
}

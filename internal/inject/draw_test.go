package inject_test

import (
	"encoding/json"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

// drawPod makes a Pod with anything beside what injection looks at, in any
// order of members, with lists that are missing, null, empty or full.
func drawPod(t *rapid.T, names []string) []byte {
	pod := object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata":      object{"name": "web", "annotations": drawAnnotations(t, names), "generation": json.Number("1e2")},
		"spec":          object{"containers": drawContainers(t, "app", 1, 3), "priority": json.Number("1000000000000000000001")},
		"fromTheFuture": object{"deep": []any{object{"number": json.Number("1.50")}, nil, true}},
	}
	meta, spec := pod["metadata"].(object), pod["spec"].(object)
	maybe(t, meta, "labels", object{"app": "web"})
	maybe(t, spec, "volumes", []any{object{"name": "own", "emptyDir": object{}, "mine": true}})
	maybe(t, spec, "schedulingGates", []any{object{"name": "example.com/quota"}})
	if rapid.Bool().Draw(t, "init") {
		spec["initContainers"] = drawContainers(t, "init", 0, 2)
	}
	if rapid.IntRange(0, 9).Draw(t, "node") == 0 {
		spec["nodeName"] = "node-1"
	}
	raw, err := json.Marshal(pod)
	require.NoError(t, err)
	return raw
}

// maybe leaves a member out, or makes it null, empty, or full.
func maybe(t *rapid.T, o object, member string, full any) {
	switch rapid.IntRange(0, 3).Draw(t, member) {
	case 1:
		o[member] = nil
	case 2:
		o[member] = []any{}
		if _, ok := full.(object); ok {
			o[member] = object{}
		}
	case 3:
		o[member] = full
	}
}

func drawContainers(t *rapid.T, name string, least, most int) []any {
	all := make([]any, rapid.IntRange(least, most).Draw(t, name))
	for i := range all {
		c := object{"name": name + strconv.Itoa(i), "image": "shop:1", "restartPolicyRules": []any{object{"action": "Restart"}}}
		env := []any{object{"name": "MODE", "value": "fast \u2028 \"quoted\""}, object{"name": "EXPLICIT_B", "value": "mine"}}
		if rapid.IntRange(0, 2).Draw(t, "root") == 0 {
			root := rapid.SampledFrom([]string{"/bindings", "/platform/", "relative", "/x/$(Y)"}).Draw(t, "value")
			env = append(env, object{"name": "SERVICE_BINDING_ROOT", "value": root})
		}
		maybe(t, c, "env", env)
		maybe(t, c, "envFrom", []any{object{"secretRef": object{"name": "own"}, "mine": true}})
		path := rapid.SampledFrom([]string{"/tmp", "/bindings", "/bindings/cache/", `C:\data`}).Draw(t, "path")
		maybe(t, c, "volumeMounts", []any{object{"name": "own", "mountPath": path, "mine": true}})
		all[i] = c
	}
	return all
}

func drawAnnotations(t *rapid.T, names []string) object {
	list := ""
	for i, name := range names {
		if i > 0 {
			list += ", "
		}
		list += name
	}
	out := object{v1beta1.AnnotationBinding: list, "example.com/note": "kept"}
	values := map[string][]string{
		"inject":         {"files", "env", "env,files"},
		"containers":     {"app0", "app0, app1", "init0"},
		"mount-path":     {"/etc/creds", "/etc/creds/", "etc"},
		"env-prefix":     {"", "DB_", "9"},
		"env":            {"EXPLICIT_A=uri", "EXPLICIT_A=file:ca.crt\nEXPLICIT_B=host", "EXPLICIT_A"},
		"when-not-ready": {"wait", "reject"},
		"injected":       {"", "{]", `{"bindings":[{"name":"cache","containers":["app1"]}]}`},
		"bindings":       {"cache"},
	}
	settings := []string{"inject", "containers", "mount-path", "env-prefix", "env", "when-not-ready", "injected", "bindings"}
	for range rapid.IntRange(0, 4).Draw(t, "settings") {
		setting := rapid.SampledFrom(settings[:rapid.SampledFrom([]int{6, 6, 6, 6, 7, 8}).Draw(t, "oddness")]).Draw(t, "setting")
		owner := ""
		if setting != "injected" && rapid.Bool().Draw(t, "per binding") {
			owner = rapid.SampledFrom(names).Draw(t, "owner") + "."
		}
		out[owner+v1beta1.AnnotationPrefix+setting] = rapid.SampledFrom(values[setting]).Draw(t, "value")
	}
	return out
}

func drawBindings(t *rapid.T) func(string) inject.Binding {
	known := map[string]inject.Binding{}
	return func(name string) inject.Binding {
		if b, ok := known[name]; ok {
			return b
		}
		b := inject.Observe(name, nil)
		if rapid.Bool().Draw(t, "exists") {
			b.Exists, b.Stored = true, rapid.Bool().Draw(t, "stored")
			b.Secret = rapid.SampledFrom([]string{name, "credentials-of-" + name}).Draw(t, "secret")
			b.EnvSecret = v1beta1.EnvSecretName(b.Secret)
			b.Deleting = rapid.IntRange(0, 19).Draw(t, "deleting") == 0
		}
		known[name] = b
		return b
	}
}

// apply is what an API server would make of a patch.
func apply(t *rapid.T, raw, patch []byte) []byte {
	if patch == nil {
		return raw
	}
	ops, err := jsonpatch.DecodePatch(patch)
	require.NoError(t, err, "%s", patch)
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	got, err := ops.ApplyWithOptions(raw, options)
	require.NoError(t, err, "%s", patch)
	return got
}

package inject_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

// object is any JSON object; numbers keep their text.
type object = map[string]any

// TestInjectKeepsWhatItDidNotAdd draws Pods, annotations and bindings. Whatever
// comes out: the Pod without our additions is the Pod that went in, to the last
// digit of a number; a second pass adds nothing; and the patch has no more
// operations than it needs.
func TestInjectKeepsWhatItDidNotAdd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, checkProperties)
}

func FuzzProperties(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkProperties)) }

func checkProperties(t *rapid.T) {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"orders-db", "cache", "a.b", "9lives"}), 1, 3, rapid.ID).Draw(t, "names")
	raw := drawPod(t, names)
	find := drawBindings(t)

	res, err := inject.Inject(raw, "shop", find)
	if refusal, ok := errors.AsType[*inject.Refusal](err); ok {
		require.NotEmpty(t, refusal.Reason)
		require.Less(t, len(refusal.Message), 600, "a refusal is a sentence")
		return
	}
	require.NoError(t, err)
	got := apply(t, raw, res.Patch)

	before, after := parse(t, raw), parse(t, got)
	strip(before, after)
	require.Equal(t, before, after, "what is left without our additions")
	containers := len(lists(before, "containers")) + len(lists(before, "initContainers"))
	require.LessOrEqual(t, operations(t, res.Patch), containers*(3*len(names)+2)+len(names)+3)

	again, err := inject.Inject(got, "shop", find)
	require.NoError(t, err)
	require.Empty(t, string(again.Patch), "second pass")
}

func operations(t *rapid.T, patch []byte) int {
	if patch == nil {
		return 0
	}
	var ops []struct{ Op, Path string }
	require.NoError(t, json.Unmarshal(patch, &ops))
	for _, op := range ops {
		require.Equal(t, "add", op.Op)
	}
	return len(ops)
}

// strip takes out of after what injection may add and before does not have.
func strip(before, after object) {
	meta, metaBefore := after["metadata"].(object), before["metadata"].(object)
	stripMember(meta, metaBefore, "annotations", v1beta1.AnnotationInjected)
	stripMember(meta, metaBefore, "labels", v1beta1.LabelInjection)
	spec, specBefore := after["spec"].(object), before["spec"].(object)
	stripList(spec, specBefore, "volumes")
	stripList(spec, specBefore, "schedulingGates")
	for _, kind := range []string{"containers", "initContainers"} {
		for i, c := range lists(spec, kind) {
			was := lists(specBefore, kind)[i].(object)
			for _, list := range []string{"env", "envFrom", "volumeMounts"} {
				stripList(c.(object), was, list)
			}
		}
	}
}

func stripMember(after, before object, member, key string) {
	is, _ := after[member].(object)
	was, _ := before[member].(object)
	delete(is, key)
	if old, ok := was[key]; ok { // ours to write anew
		is[key] = old
	}
	if v, ok := before[member]; len(is) == 0 && (!ok || v == nil) {
		restore(after, before, member)
	}
}

func stripList(after, before object, member string) {
	is, _ := after[member].([]any)
	was, _ := before[member].([]any)
	kept := make([]any, 0, len(is))
	for _, e := range is {
		if len(kept) < len(was) && fmt.Sprint(was[len(kept)]) == fmt.Sprint(e) {
			kept = append(kept, e)
			continue
		}
		if !isOurs(e.(object)) {
			kept = append(kept, e)
		}
	}
	after[member] = kept
	if v, ok := before[member]; len(kept) == 0 && (!ok || v == nil) {
		restore(after, before, member)
	}
}

// restore makes a member that had to be created missing or null again.
func restore(after, before object, member string) {
	delete(after, member)
	if v, ok := before[member]; ok {
		after[member] = v
	}
}

// isOurs knows the elements that injection adds by their shape.
func isOurs(e object) bool {
	name, _ := e["name"].(string)
	_, envFrom := e["secretRef"]
	return strings.HasPrefix(name, "binding-") || name == "SERVICE_BINDING_ROOT" || name == v1beta1.SchedulingGate ||
		strings.HasPrefix(name, "EXPLICIT_") || envFrom && e["mine"] == nil
}

func lists(o object, member string) []any {
	if spec, ok := o["spec"].(object); ok {
		o = spec
	}
	l, _ := o[member].([]any)
	return l
}

func parse(t *rapid.T, raw []byte) object {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var o object
	require.NoError(t, dec.Decode(&o))
	return o
}

package osb

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestEveryNameIsKnown: a name that apiNames lacks would be taken in any case.
func TestEveryNameIsKnown(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"expires_at": true, "renew_before": true} // of BindingMetadata, which reads itself
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(typ.Elem())
		case reflect.Struct:
			for _, f := range reflect.VisibleFields(typ) {
				if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
					seen[name] = true
				}
				if f.Type != typ && f.IsExported() {
					walk(f.Type)
				}
			}
		}
	}
	for _, v := range append(answers(), &Catalog{}, &ProvisionRequest{}, &UpdateRequest{}, &BindRequest{}, &Identity{}) {
		walk(reflect.TypeOf(v))
	}
	var want []string
	for name := range seen {
		want = append(want, name)
	}
	slices.Sort(want)
	assert.Equal(t, want, apiNames[:])
}

// answers are one of each type that an answer is read into.
func answers() []any {
	return []any{&wireCatalog{}, &ProvisionResponse{}, &GetInstanceResponse{}, &UpdateResponse{}, &DeprovisionResponse{},
		&LastOperationResponse{}, &BindResponse{}, &GetBindingResponse{}, &UnbindResponse{}}
}

func TestRespelled(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		``: false, `{}`: false, `{"id":"ID"}`: false, `["ID"]`: false, `{"displayName":"x","$schema":"y"}`: false,
		`{"ID":1}`: true, `{"a":{"Plan_ID" : 1}}`: true, `{"a\"ID":"ID"}`: true, `{"\u0049d":1}`: true, `{"ſtate":1}`: true,
		`{"a":"\"","ID":1}`: true, `{"ID`: false, `{"ID"`: false, `"\`: false,
	} {
		assert.Equal(t, want, respelled([]byte(body)), body)
	}
}

// FuzzUnmarshal holds Unmarshal to encoding/json where both must agree: on
// documents whose names are all in lower case, and none of them twice.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{
		`{"services":[{"id":"s","plans":[{"id":"p","free":null,"schemas":{"service_instance":{}}}]}]}`, `{"state":"failed","instance_usable":false}`,
		`{"credentials":{"a":1.0},"metadata":{"expires_at":""},"endpoints":[{"ports":["1"]}],"volume_mounts":[null]}`, `{"metadata":{"labels":{"a":"b"}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		lower, ok := lowered(body)
		if !ok || respelled(lower) { // letters beyond ASCII
			return
		}
		for i, exact := range answers() {
			plain := answers()[i]
			slow := answers()[i]
			plainErr, exactErr := json.Unmarshal(lower, plain), Unmarshal(lower, exact)
			slowErr := unmarshal(lower, reflect.ValueOf(slow).Elem(), "")
			if (plainErr == nil) != (exactErr == nil) || (plainErr == nil) != (slowErr == nil) {
				t.Fatalf("%T of %s: %v, %v and %v", exact, lower, plainErr, exactErr, slowErr)
			}
			if plainErr == nil && (!reflect.DeepEqual(plain, exact) || !reflect.DeepEqual(plain, slow)) {
				t.Fatalf("%T of %s: %+v, %+v and %+v", exact, lower, plain, exact, slow)
			}
		}
	})
}

// lowered is a document in lower case that has no name twice.
func lowered(body []byte) ([]byte, bool) {
	for range 2 { // lowering may make two names the same
		var v any
		if json.Unmarshal(body, &v) != nil {
			return nil, false
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, false
		}
		body = []byte(strings.ToLower(string(raw)))
	}
	var v any
	if json.Unmarshal(body, &v) != nil {
		return nil, false
	}
	raw, err := json.Marshal(v)
	return raw, err == nil
}

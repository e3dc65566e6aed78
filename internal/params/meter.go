package params

import (
	"errors"
	"reflect"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxSteps bounds one check: a value held against one subschema, with what lies
// directly in both, is a step or some. It is a fraction of a second.
const maxSteps = 200_000

// errSpent stops a check that takes too long.
var errSpent = errors.New("the check takes too many steps")

// meter counts the steps of one check. A schema of a few kilobytes can refer to
// itself twice on each of forty levels, and checking it would outlive us all;
// whoever may register a broker can send it.
type meter struct {
	left int
	size int // of the parameters, in bytes
	seen map[*jsonschema.Schema]bool
}

// install puts the meter into a schema and all that it leads to. It hooks into
// the check of formats, which comes before anything that goes deeper: once the
// steps are spent it fails, and the validator unwinds. It is false for schemas
// that are not all ours to change: those of other documents, and what only
// $dynamicRef finds.
func (m *meter) install(s *jsonschema.Schema) bool {
	if m.seen[s] {
		return true
	}
	if !strings.HasPrefix(s.Location, schemaURL) || s.DynamicRef != nil {
		return false
	}
	m.seen[s] = true
	cost, ok := 1, true
	if s.Enum != nil {
		cost += len(s.Enum.Values)
	}
	if s.UniqueItems {
		cost += m.size / 64
	}
	fields := reflect.ValueOf(s).Elem()
	for _, field := range fields.Fields() {
		subschemas(field, func(sub *jsonschema.Schema) {
			cost++
			ok = ok && m.install(sub)
		})
	}
	format := jsonschema.Format{Name: "steps", Validate: func(any) error { return nil }}
	if s.Format != nil {
		format = *s.Format
	}
	check := format.Validate
	format.Validate = func(v any) error {
		if m.left -= cost + extent(v); m.left < 0 {
			return errSpent
		}
		return check(v)
	}
	s.Format = &format
	return ok
}

// subschemas visits the schemas in an exported field of a schema.
func subschemas(field reflect.Value, visit func(*jsonschema.Schema)) {
	if !field.IsValid() || !field.CanInterface() {
		return
	}
	if s, ok := field.Interface().(*jsonschema.Schema); ok {
		if s != nil {
			visit(s)
		}
		return
	}
	switch field.Kind() {
	case reflect.Slice:
		for i := range field.Len() {
			subschemas(field.Index(i), visit)
		}
	case reflect.Map:
		for entries := field.MapRange(); entries.Next(); {
			subschemas(entries.Value(), visit)
		}
	case reflect.Interface:
		subschemas(field.Elem(), visit)
	}
}

// extent is how much of a value a schema may look at without going deeper.
func extent(v any) int {
	switch v := v.(type) {
	case map[string]any:
		return len(v)
	case []any:
		return len(v)
	case string:
		return len(v) / 16
	}
	return 0
}

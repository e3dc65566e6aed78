package params

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// MaxSchemaBytes is the largest schema that is looked at (OSB 2.17, 64 kB).
const MaxSchemaBytes = 64 << 10

// An error names this many violations, each in so many bytes, so that it fits
// into a condition with the way out behind it.
const (
	maxProblems    = 5
	maxField       = 70
	maxExpectation = 110
)

// schemaURL is what a schema is called while it is compiled.
const schemaURL = "mem:///schema.json"

// ErrUnusableSchema says that a broker's schema cannot be used; parameters are
// then sent unchecked (OSB 2.17, P30).
var ErrUnusableSchema = errors.New("the plan's parameter schema cannot be used")

// Check validates parameters, a JSON object or nothing, against a plan's JSON
// Schema. References to other documents are never fetched. The error names the
// fields that are wrong and what is expected of them, but none of their values.
func Check(schema, parameters []byte) error {
	if len(bytes.TrimSpace(schema)) == 0 {
		return nil
	}
	if len(schema) > MaxSchemaBytes {
		return fmt.Errorf("%w: it is larger than %d bytes", ErrUnusableSchema, MaxSchemaBytes)
	}
	compiled, err := compile(schema)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnusableSchema, err)
	}
	if len(bytes.TrimSpace(parameters)) == 0 {
		parameters = []byte("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(parameters))
	if err != nil {
		return errNotObject
	}
	m := &meter{left: maxSteps, size: len(parameters), seen: map[*jsonschema.Schema]bool{}}
	if !m.install(compiled) {
		return fmt.Errorf("%w: it refers to another document, or by $dynamicRef", ErrUnusableSchema)
	}
	err = compiled.Validate(value)
	if m.left < 0 {
		return fmt.Errorf("%w: %w", ErrUnusableSchema, errSpent)
	}
	if violation, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return errors.New(strings.Join(problems(violation, nil), "; "))
	}
	if err != nil {
		return fmt.Errorf("check parameters: %w", err)
	}
	return nil
}

func compile(schema []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, errors.New("it is not JSON")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(jsonschema.SchemeURLLoader{}) // knows no scheme: nothing is fetched
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	compiled, err := c.Compile(schemaURL)
	if load, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return nil, fmt.Errorf("it refers to %s, and nothing is fetched from elsewhere", load.URL)
	}
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return compiled, nil
}

// problems adds the leaves of a violation to a list: the field and what is
// expected. The validator finds them in any order, so the list is sorted: a
// condition must not change from one look to the next.
func problems(v *jsonschema.ValidationError, list []string) []string {
	if len(v.Causes) == 0 {
		problem := field(v.InstanceLocation) + " " + cut(expectation(v), maxExpectation)
		at, known := slices.BinarySearch(list, problem)
		if !known && at < maxProblems {
			list = slices.Insert(list, at, problem)
		}
		return list[:min(len(list), maxProblems)]
	}
	for _, c := range v.Causes {
		list = problems(c, list)
	}
	return list
}

func field(path []string) string {
	if len(path) == 0 {
		return "parameters"
	}
	return fmt.Sprintf("parameter %q", cut(strings.Join(path, "."), maxField))
}

// cut shortens a text to at most limit bytes.
func cut(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(ellipsis)], "") + ellipsis
}

// expectation words a violation without the offending value, which may come
// from a Secret.
func expectation(v *jsonschema.ValidationError) string {
	switch k := v.ErrorKind.(type) {
	case *kind.Required:
		return fmt.Sprintf("must have %s", quoted(k.Missing))
	case *kind.AdditionalProperties:
		return fmt.Sprintf("must not have %s", quoted(k.Properties))
	case *kind.Type:
		return fmt.Sprintf("must be of type %s", strings.Join(k.Want, " or "))
	case *kind.Enum:
		return fmt.Sprintf("must be one of %v", k.Want)
	case *kind.Pattern:
		return fmt.Sprintf("must match the pattern %s", k.Want)
	}
	return fmt.Sprintf("does not keep the schema's %q", strings.Join(v.ErrorKind.KeywordPath(), "/"))
}

// quoted lists names, sorted.
func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range slices.Sorted(slices.Values(names)) {
		out[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(out, ", ")
}

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// validator checks parameters against the schemas of the catalog, compiled once.
type validator struct {
	compiled map[string]*jsonschema.Schema // by the text of the schema
}

func newValidator(schemas ...osb.RawJSON) (*validator, error) {
	v := &validator{compiled: map[string]*jsonschema.Schema{}}
	for _, raw := range schemas {
		compiled, err := compileSchema(raw)
		if err != nil {
			return nil, err
		}
		v.compiled[string(raw)] = compiled
	}
	return v, nil
}

// compileSchema loads nothing: a loader without schemes refuses every reference
// to another document.
func compileSchema(raw osb.RawJSON) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read a parameter schema: %w", err)
	}
	const address = "urn:parameters"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	if err := compiler.AddResource(address, document); err != nil {
		return nil, fmt.Errorf("add a parameter schema: %w", err)
	}
	compiled, err := compiler.Compile(address)
	if err != nil {
		return nil, fmt.Errorf("compile a parameter schema: %w", err)
	}
	return compiled, nil
}

// Bounds on what users send and are told. The schema's own limits do not help:
// each fault is reported, and a request has room for hundreds of thousands.
const (
	maxParameters = 16 << 10 // bytes, far above what the schema can ask for
	maxSentences  = 5
	maxWords      = 50 // above the number of extensions that any server offers at a time
)

// Validate is the hook for the kit's Options.Validate: it refuses parameters
// outside the plan's schema with sentences that name the first faulty fields,
// never their values.
func (b *Broker) Validate(_ context.Context, v broker.Validation) error {
	schema, known := b.validator.compiled[string(v.Schema)]
	if !known {
		return fmt.Errorf("no compiled schema for operation %s", v.Operation)
	}
	if len(v.Parameters) > maxParameters {
		return broker.BadRequest("parameters are larger than %d bytes; this service needs far fewer", maxParameters)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Parameters))
	if err != nil {
		return broker.BadRequest("parameters are not JSON")
	}
	var invalid *jsonschema.ValidationError
	switch err := schema.Validate(document); {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return broker.BadRequest("parameters cannot be checked")
	}
	var sentences []string
	for _, leaf := range leaves(invalid) {
		sentences = append(sentences, sentence(leaf, schema))
	}
	slices.Sort(sentences)
	sentences = slices.Compact(sentences)
	if more := len(sentences) - maxSentences; more > 0 {
		sentences = append(sentences[:maxSentences], fmt.Sprintf("and %d more faults", more))
	}
	return broker.BadRequest("%s", strings.Join(sentences, "; "))
}

// leaves are the errors that have no further cause.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// sentence says what is wrong with one field by the kinds of rule that our
// schemas have. The library's own sentences would quote the value.
func sentence(e *jsonschema.ValidationError, schema *jsonschema.Schema) string {
	field := "parameters"
	if len(e.InstanceLocation) > 0 {
		field = fmt.Sprintf("parameter %q", strings.Join(e.InstanceLocation, "/"))
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Enum:
		return fmt.Sprintf("%s must be one of: %s", field, words(k.Want))
	case *kind.Type:
		return fmt.Sprintf("%s must be of type %s", field, strings.Join(k.Want, " or "))
	case *kind.UniqueItems:
		return fmt.Sprintf("%s names item %d twice", field, k.Duplicates[0])
	case *kind.MaxItems:
		return fmt.Sprintf("%s may have at most %d items", field, k.Want)
	case *kind.AdditionalProperties:
		return fmt.Sprintf("parameter %s is not known here; %s", words(k.Properties), knownFields(schema))
	}
	return field + " does not fit the schema of the plan"
}

func knownFields(schema *jsonschema.Schema) string {
	if len(schema.Properties) == 0 {
		return "this request takes no parameters"
	}
	var names []string
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return "choose from: " + strings.Join(names, ", ")
}

// words lists names; those that came with the request are cut and quoted.
func words[T any](items []T) string {
	var all []string
	for i, item := range items {
		if i == maxWords {
			all = append(all, fmt.Sprintf("and %d more", len(items)-i))
			break
		}
		all = append(all, fmt.Sprintf("%.64q", fmt.Sprint(item)))
	}
	return strings.Join(all, ", ")
}

package postgres

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// defaultEncoding is what an instance gets that asks for none. It is part of
// what makes two requests identical, so it can never change.
const defaultEncoding = "UTF8"

// encodings are those that PostgreSQL can store and that somebody may still need.
func encodings() []string {
	return []string{
		"UTF8", "LATIN1", "LATIN2", "LATIN5", "LATIN9", "WIN1250", "WIN1251", "WIN1252", "KOI8R", "EUC_JP", "EUC_KR",
	}
}

// parameters are what a user may ask of an instance, with the defaults filled in.
type parameters struct {
	Encoding string `json:"encoding"`
	// Extensions are sorted, each once.
	Extensions []string `json:"extensions"`
}

// parseParameters reads parameters that the schema has let pass.
func parseParameters(raw osb.RawJSON) (parameters, error) {
	p := parameters{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &p); err != nil {
			return p, broker.BadRequest("parameters are not an object with encoding and extensions")
		}
	}
	if p.Encoding == "" {
		p.Encoding = defaultEncoding
	}
	slices.Sort(p.Extensions)
	p.Extensions = slices.Compact(p.Extensions)
	return p, nil
}

// sameParameters says whether two sets of parameters ask for the same instance:
// absent, {} and the defaults written out are all one.
func sameParameters(a, b osb.RawJSON) bool {
	pa, errA := parseParameters(a)
	pb, errB := parseParameters(b)
	return errA == nil && errB == nil && pa.Encoding == pb.Encoding && slices.Equal(pa.Extensions, pb.Extensions)
}

// instanceSchema describes the parameters of an instance in draft-04, the one
// draft that every platform knows (P29).
func instanceSchema(extensions []string) (osb.RawJSON, error) {
	list := map[string]any{
		"type":        "array",
		"title":       "Extensions",
		"description": "Extensions to create in the database.",
		"uniqueItems": true,
		"default":     []string{},
	}
	if len(extensions) > 0 {
		list["items"] = map[string]any{"type": "string", "enum": extensions}
	} else {
		list["maxItems"] = 0 // an empty enum is no schema
	}
	return marshalSchema(map[string]any{
		"encoding": map[string]any{
			"type":        "string",
			"title":       "Encoding",
			"description": "Character set of the database. Other than " + defaultEncoding + " it comes with the locale C.",
			"enum":        encodings(),
			"default":     defaultEncoding,
		},
		"extensions": list,
	})
}

// bindingSchema says that bindings take no parameters.
func bindingSchema() (osb.RawJSON, error) { return marshalSchema(map[string]any{}) }

func marshalSchema(properties map[string]any) (osb.RawJSON, error) {
	raw, err := json.Marshal(map[string]any{
		"$schema":              "http://json-schema.org/draft-04/schema#",
		"type":                 "object",
		"additionalProperties": false,
		"properties":           properties,
	})
	if err != nil {
		return nil, fmt.Errorf("write a parameter schema: %w", err)
	}
	return raw, nil
}

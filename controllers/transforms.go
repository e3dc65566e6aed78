package controllers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"k8s.io/client-go/util/jsonpath"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// transform applies a binding's transforms to the top level of its credentials,
// in the order of the list, as v0.3 did.
func transform(list []v1beta1.SecretTransform, c osb.Credentials) (osb.Credentials, error) {
	out := maps.Clone(c)
	if out == nil {
		out = osb.Credentials{}
	}
	for n, t := range list {
		switch {
		case t.AddKey != nil:
			value, err := added(t.AddKey, out)
			if err != nil {
				return nil, fmt.Errorf("spec.secretTransforms[%d]: %w", n, err)
			}
			out[t.AddKey.Key] = value
		case t.RenameKey != nil:
			if v, ok := out[t.RenameKey.From]; ok {
				delete(out, t.RenameKey.From)
				out[t.RenameKey.To] = v
			}
		case t.RemoveKey != nil:
			delete(out, t.RemoveKey.Key)
		}
	}
	return out, nil
}

// added is the value of an addKey: of its expression, else its string, else its
// bytes. An expression's error names the key only, for it may quote values.
func added(t *v1beta1.AddKeyTransform, c osb.Credentials) (any, error) {
	switch {
	case t.JSONPathExpression != nil:
		v, err := evaluate(*t.JSONPathExpression, c)
		if err != nil {
			return nil, fmt.Errorf("addKey %q: the JSONPath expression does not fit the credentials; correct it", t.Key)
		}
		return v, nil
	case t.StringValue != nil:
		return *t.StringValue, nil
	}
	return t.Value, nil
}

func evaluate(expression string, c osb.Credentials) (string, error) {
	path := jsonpath.New("addKey")
	if err := path.Parse(expression); err != nil {
		return "", fmt.Errorf("parse: %w", err)
	}
	// The evaluator knows plain maps; numbers keep their digits as text.
	raw, err := json.Marshal(map[string]any(c))
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	var plain any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&plain); err != nil {
		return "", fmt.Errorf("decode: %w", err)
	}
	var b bytes.Buffer
	if err := path.Execute(&b, plain); err != nil {
		return "", fmt.Errorf("evaluate: %w", err)
	}
	return b.String(), nil
}

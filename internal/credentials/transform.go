package credentials

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"k8s.io/client-go/util/jsonpath"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Sources are the Secrets that a binding's transforms copy keys from.
func Sources(list []v1beta1.SecretTransform) []v1beta1.ObjectReference {
	var out []v1beta1.ObjectReference
	for _, t := range list {
		if t.AddKeysFrom != nil && t.AddKeysFrom.SecretRef != nil && !slices.Contains(out, *t.AddKeysFrom.SecretRef) {
			out = append(out, *t.AddKeysFrom.SecretRef)
		}
	}
	return out
}

// Transform applies transforms to the top level of credentials, in the order of the
// list. Its semantics are v0.3's: renameKey does nothing without its key, all others
// overwrite, and of the values of addKey the expression comes first, then the text.
func Transform(list []v1beta1.SecretTransform, c map[string]any, secrets map[v1beta1.ObjectReference]map[string][]byte) (map[string]any, error) {
	out := maps.Clone(c)
	if out == nil {
		out = map[string]any{}
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
		case t.AddKeysFrom != nil && t.AddKeysFrom.SecretRef != nil:
			from, ok := secrets[*t.AddKeysFrom.SecretRef]
			if !ok {
				return nil, MissingSecret(n, *t.AddKeysFrom.SecretRef)
			}
			for k, v := range from {
				out[k] = v
			}
		case t.RemoveKey != nil:
			delete(out, t.RemoveKey.Key)
		}
	}
	return out, nil
}

// MissingSecret is the error for a Secret that the n-th transform names and that is
// not there.
func MissingSecret(n int, ref v1beta1.ObjectReference) error {
	return fmt.Errorf("spec.secretTransforms[%d].addKeysFrom: there is no Secret %q in namespace %q; create it, and work goes on by itself", n, ref.Name, ref.Namespace)
}

// added is the value of an addKey. An expression's error names the key only, for it
// may quote values.
func added(t *v1beta1.AddKeyTransform, c map[string]any) (any, error) {
	switch {
	case t.JSONPathExpression != nil:
		v, err := evaluate(*t.JSONPathExpression, c)
		if errors.Is(err, errExpensive) {
			return nil, fmt.Errorf("addKey %q: %w", t.Key, err)
		}
		if err != nil {
			return nil, fmt.Errorf("addKey %q: the JSONPath expression does not fit the credentials; correct it", t.Key)
		}
		return v, nil
	case t.StringValue != nil:
		return *t.StringValue, nil
	}
	return t.Value, nil
}

// maxCost bounds the values that a JSONPath expression may visit.
const maxCost = 1 << 22

var errExpensive = errors.New("the JSONPath expression visits too many values; use fewer unions, \"..\" and nested ranges")

func evaluate(expression string, c map[string]any) (string, error) {
	parsed, err := jsonpath.Parse("addKey", expression)
	if err != nil {
		return "", fmt.Errorf("parse: %w", err)
	}
	data := plain(c)
	n := float64(size(data))
	if cost(parsed.Root.Nodes, n)*math.Pow(n, nesting(parsed.Root.Nodes)) > maxCost {
		return "", errExpensive
	}
	path := jsonpath.New("addKey")
	if err := path.Parse(expression); err != nil {
		return "", fmt.Errorf("parse: %w", err)
	}
	var b bytes.Buffer
	if err := path.Execute(&b, data); err != nil {
		return "", fmt.Errorf("evaluate: %w", err)
	}
	if b.Len() > maxOutput {
		return "", errTooLong
	}
	return b.String(), nil
}

// cost estimates how many values an expression visits in data of n values. A path of
// fields and wildcards visits each once at most; a union visits what is below it once
// for each member, and ".." once for each level.
func cost(nodes []jsonpath.Node, n float64) float64 {
	total, factor := 0.0, n
	for _, node := range nodes {
		switch node := node.(type) {
		case *jsonpath.ListNode:
			total += factor * max(1, cost(node.Nodes, n)/n)
		case *jsonpath.UnionNode:
			members := 0.0
			for _, m := range node.Nodes {
				members += max(1, cost(m.Nodes, n)/n)
			}
			factor *= max(1, members)
		case *jsonpath.RecursiveNode:
			factor *= n
		case *jsonpath.FilterNode:
			factor *= max(1, (cost(node.Left.Nodes, n)+cost(node.Right.Nodes, n))/n)
		}
	}
	return total + factor
}

// nesting is how deep ranges lie in one another: each repeats what is in it.
func nesting(nodes []jsonpath.Node) float64 {
	depth, most := 0.0, 0.0
	var walk func([]jsonpath.Node)
	walk = func(nodes []jsonpath.Node) {
		for _, node := range nodes {
			switch node := node.(type) {
			case *jsonpath.ListNode:
				walk(node.Nodes)
			case *jsonpath.IdentifierNode:
				switch node.Name {
				case "range":
					depth++
				case "end":
					depth--
				}
			}
			most = max(most, depth)
		}
	}
	walk(nodes)
	return most
}

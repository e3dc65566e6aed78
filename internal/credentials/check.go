package credentials

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/util/jsonpath"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Check refuses what cannot work whatever the broker gives, so that it is not asked
// in vain. The error is a sentence for a condition.
func Check(spec *v1beta1.ServiceBindingSpec) error {
	for n, t := range spec.SecretTransforms {
		if t.AddKey == nil || t.AddKey.JSONPathExpression == nil {
			continue
		}
		// The parser's words quote the expression, which is the user's own.
		if _, err := jsonpath.Parse("addKey", *t.AddKey.JSONPathExpression); err != nil {
			return fmt.Errorf("spec.secretTransforms[%d]: addKey %q: the JSONPath expression cannot be read: %w", n, t.AddKey.Key, err)
		}
	}
	t := spec.SecretTemplate
	if t == nil {
		return nil
	}
	if err := checkKeys(t); err != nil {
		return err
	}
	for _, part := range []struct {
		field string
		of    map[string]string
	}{{"labels", t.Labels}, {"annotations", t.Annotations}, {"stringData", t.StringData}} {
		for _, key := range slices.Sorted(maps.Keys(part.of)) {
			if _, err := compile(fmt.Sprintf("spec.secretTemplate.%s[%q]", part.field, key), part.of[key], &budget{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkKeys looks at the names in a template.
func checkKeys(t *v1beta1.SecretTemplate) error {
	for _, part := range []struct {
		field string
		of    map[string]string
	}{{"labels", t.Labels}, {"annotations", t.Annotations}} {
		for _, key := range slices.Sorted(maps.Keys(part.of)) {
			where := fmt.Sprintf("spec.secretTemplate.%s[%q]", part.field, key)
			if len(validation.IsQualifiedName(strings.ToLower(key))) > 0 {
				return fmt.Errorf("%s is no name for one: a prefix such as \"example.com/\" if need be, and at most 63 letters, digits, \"-\", \"_\" and \".\"", where)
			}
			if reservedMark(key) {
				return fmt.Errorf("%s is reserved; leave it out or use a prefix of your own", where)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.StringData)) {
		if len(validation.IsConfigMapKey(key)) > 0 {
			return fmt.Errorf("spec.secretTemplate.stringData[%q] is no key that a Secret can have: letters, digits, \"-\", \"_\" and \".\"", key)
		}
	}
	if t.JSONKey != "" && t.JSONKey == t.VCAPServicesKey {
		return fmt.Errorf("spec.secretTemplate.jsonKey and vcapServicesKey are both %q; choose another for one of them", t.JSONKey)
	}
	return checkType(t.Type)
}

// checkType refuses types by which other parts of Kubernetes are told to put powers
// into a Secret that whoever makes a binding may not have.
func checkType(t string) error {
	switch t {
	case "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token":
		return fmt.Errorf("spec.secretTemplate.type %q is not for credentials of a broker; leave it out or use another", t)
	}
	return nil
}

// reservedMark says whether a label or an annotation is ours, or gives powers.
func reservedMark(key string) bool {
	prefix, _, _ := strings.Cut(key, "/")
	return prefix+"/" == v1beta1.AnnotationPrefix || strings.HasSuffix(prefix+"/", "."+v1beta1.AnnotationPrefix) ||
		strings.HasPrefix(key, "kubernetes.io/service-account.")
}

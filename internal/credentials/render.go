package credentials

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// typePrefix begins the type of a Secret that servicebinding.io knows.
const typePrefix = "servicebinding.io/"

// Input is what Secrets are made from.
type Input struct {
	// Credentials as the broker gave them: strings, json.Number, and so on.
	Credentials map[string]any
	// Spec is the binding's.
	Spec *v1beta1.ServiceBindingSpec
	// Binding and Namespace are its names, BindingID its id at the broker.
	Binding, Namespace, BindingID string
	// Instance is the name of the instance, InstanceID its id at the broker.
	Instance, InstanceID string
	// Class, Plan and Broker are the names that users see; empty where one is gone.
	Class, Plan, Broker string
	// Tags of the class.
	Tags []string
	// Secrets are those that addKeysFrom names; see Sources.
	Secrets map[v1beta1.ObjectReference]map[string][]byte
}

// Output is what the two Secrets are to be.
type Output struct {
	// Type of the Secret with the credentials, for its creation.
	Type string
	// Labels and Annotations of it, beside ours.
	Labels, Annotations map[string]string
	// Data is for the Secret <secretName>, Env for the other.
	Data, Env map[string][]byte
	// LeftOut are keys that no Secret can have; LeftOutOfEnv those that are in the
	// Secret and cannot or may not be variables. Both are sorted.
	LeftOut, LeftOutOfEnv []string
}

// Render makes the Secrets of a binding. An error is a sentence for a condition.
func Render(in Input) (Output, error) {
	c, err := Transform(in.Spec.SecretTransforms, in.Credentials, in.Secrets)
	if err != nil {
		return Output{}, err
	}
	m := metadataOf(in, c)
	values, chosen, err := layout(in, m, c)
	if err != nil {
		return Output{}, err
	}
	out := Output{Type: typePrefix + m.kind}
	if out.Data, out.LeftOut, err = secretData(values); err != nil {
		return Output{}, err
	}
	m.add(out.Data, in.Spec.SecretMetadata, chosen)
	if out.Env, out.LeftOutOfEnv, err = envData(values, chosen); err != nil {
		return Output{}, err
	}
	out.LeftOutOfEnv = slices.DeleteFunc(out.LeftOutOfEnv, func(k string) bool { return slices.Contains(out.LeftOut, k) })
	if t := in.Spec.SecretTemplate; t != nil {
		if t.Type != "" {
			out.Type = t.Type
		}
		if out.Labels, out.Annotations, err = marks(t, m.facts(in)); err != nil {
			return Output{}, err
		}
	}
	return out, fits(out)
}

// layout is what is in both Secrets, before it is told which keys fit: the
// credentials, or one key with all of them, and what the template makes. chosen are
// the keys that the user named.
func layout(in Input, m metadata, c map[string]any) (values map[string]any, chosen map[string]bool, err error) {
	t := in.Spec.SecretTemplate
	if t == nil {
		return c, nil, nil
	}
	values, chosen = maps.Clone(c), map[string]bool{}
	add := func(field, key string, value any) error {
		raw, err := compact(plain(value))
		if err != nil {
			return fmt.Errorf("spec.secretTemplate.%s: the credentials cannot be written as JSON; the broker's operator must look into it", field)
		}
		if _, taken := values[key]; taken {
			return fmt.Errorf("spec.secretTemplate.%s: the credentials have a key %q already; choose another", field, key)
		}
		values[key], chosen[key] = string(raw), true
		return nil
	}
	if t.JSONKey != "" {
		values = map[string]any{}
		if err := add("jsonKey", t.JSONKey, c); err != nil {
			return nil, nil, err
		}
	}
	if t.VCAPServicesKey != "" {
		if err := add("vcapServicesKey", t.VCAPServicesKey, m.vcap(in, c)); err != nil {
			return nil, nil, err
		}
	}
	facts := m.facts(in)
	root := maps.Clone(facts)
	shown := plain(c).(map[string]any)
	for k, v := range shown {
		if _, ours := facts[k]; !ours {
			root[k] = v
		}
	}
	root["credentials"] = shown
	for _, key := range slices.Sorted(maps.Keys(t.StringData)) {
		text, err := render(fmt.Sprintf("spec.secretTemplate.stringData[%q]", key), t.StringData[key], root)
		if err != nil {
			return nil, nil, err
		}
		values[key], chosen[key] = text, true
	}
	return values, chosen, nil
}

// marks are the labels and annotations of a template. They are shown where data is
// not, so that templates there see no credentials.
func marks(t *v1beta1.SecretTemplate, facts map[string]any) (labels, annotations map[string]string, err error) {
	labels, annotations = map[string]string{}, map[string]string{}
	for key, text := range t.Labels {
		where := fmt.Sprintf("spec.secretTemplate.labels[%q]", key)
		if labels[key], err = render(where, text, facts); err != nil {
			return nil, nil, err
		}
		if wrong := validation.IsValidLabelValue(labels[key]); len(wrong) > 0 {
			return nil, nil, fmt.Errorf("%s does not make a label's value: at most 63 letters, digits, \"-\", \"_\" and \".\", with a letter or digit at both ends", where)
		}
	}
	for key, text := range t.Annotations {
		if annotations[key], err = render(fmt.Sprintf("spec.secretTemplate.annotations[%q]", key), text, facts); err != nil {
			return nil, nil, err
		}
	}
	return labels, annotations, nil
}

// secretData is the data of the credentials Secret: v0.3's keys, strings raw and all
// else as compact JSON. Keys that no Secret can have are returned by name.
func secretData(values map[string]any) (data map[string][]byte, leftOut []string, err error) {
	data = map[string][]byte{}
	for key, value := range values {
		if len(validation.IsConfigMapKey(key)) > 0 {
			leftOut = append(leftOut, key)
			continue
		}
		if data[key], err = text(value); err != nil {
			return nil, nil, fmt.Errorf("credential %q: %w", key, err)
		}
	}
	slices.Sort(leftOut)
	return data, leftOut, nil
}

// fits says whether each Secret is of a size that the API server takes.
func fits(out Output) error {
	for _, data := range []map[string][]byte{out.Data, out.Env} {
		size := 0
		for k, v := range data {
			size += len(k) + len(v)
		}
		if size > maxOutput {
			return fmt.Errorf("the credentials and what spec.secretTemplate makes of them are %d bytes, and a Secret holds 1 MiB at most; remove keys by spec.secretTransforms", size)
		}
	}
	return nil
}

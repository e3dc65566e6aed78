package credentials

import (
	"encoding/json"
	"slices"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// metadata is what of ours is put beside credentials.
type metadata struct {
	// kind and provider are the effective ones, the broker's own included.
	kind, provider string
	// extra holds the keys of SecretMetadata Full.
	extra map[string]string
}

func metadataOf(in Input, c map[string]any) metadata {
	m := metadata{
		kind:     effective(in.Spec.Type, c, "type", in.Class),
		provider: effective(in.Spec.Provider, c, "provider", in.Broker),
		extra:    map[string]string{"instance": in.Instance},
	}
	if in.Plan != "" {
		m.extra["plan"] = in.Plan
	}
	if raw, err := json.Marshal(in.Tags); err == nil && len(in.Tags) > 0 {
		m.extra["tags"] = string(raw)
	}
	return m
}

// effective is the binding's own word, else the broker's, else the catalog's.
func effective(own string, c map[string]any, key, catalog string) string {
	if own != "" {
		return own
	}
	if v, ok := c[key]; ok {
		if t, err := text(v); err == nil && len(t) > 0 {
			return string(t)
		}
	}
	return catalog
}

// add puts the metadata into the data of a Secret. Keys that the user made by a
// template stay, and of Full's those that the broker gave.
func (m metadata) add(data map[string][]byte, amount v1beta1.SecretMetadata, chosen map[string]bool) {
	if amount == v1beta1.SecretMetadataNone {
		return
	}
	for k, v := range map[string]string{"type": m.kind, "provider": m.provider} {
		if !chosen[k] {
			data[k] = []byte(v)
		}
	}
	if amount != v1beta1.SecretMetadataFull {
		return
	}
	for k, v := range m.extra {
		if _, given := data[k]; !given {
			data[k] = []byte(v)
		}
	}
}

// facts are what a template sees beside the credentials.
func (m metadata) facts(in Input) map[string]any {
	tags := make([]any, 0, len(in.Tags))
	for _, t := range in.Tags {
		tags = append(tags, t)
	}
	return map[string]any{
		"type": m.kind, "provider": m.provider,
		"binding": map[string]any{"name": in.Binding, "namespace": in.Namespace, "id": in.BindingID},
		"instance": map[string]any{
			"name": in.Instance, "namespace": in.Namespace, "id": in.InstanceID,
			"class": in.Class, "plan": in.Plan, "tags": tags,
		},
	}
}

// vcap is the object that Cloud Foundry's VCAP_SERVICES would hold, with the one
// binding in it.
func (m metadata) vcap(in Input, c map[string]any) any {
	tags := slices.Clone(in.Tags)
	if tags == nil {
		tags = []string{}
	}
	label := in.Class
	if label == "" {
		label = m.kind
	}
	return map[string]any{label: []any{map[string]any{
		"name": in.Binding, "binding_name": in.Binding, "binding_guid": in.BindingID,
		"instance_name": in.Instance, "instance_guid": in.InstanceID,
		"label": label, "plan": in.Plan, "provider": nil, "tags": tags,
		"syslog_drain_url": nil, "volume_mounts": []any{}, "credentials": plain(c),
	}}}
}

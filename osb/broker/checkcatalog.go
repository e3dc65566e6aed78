package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/svc-cat/catalog/osb"
)

// maxSchema is the spec's limit for one schema.
const maxSchema = 64 << 10

// semver is the pattern that semver.org recommends for version 2.0.
var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

// CheckCatalog tells everything in which a catalog breaks the spec (B7, B8):
// missing fields, ids and names that are not unique, services without plans,
// unusable schemas, versions that are not semver. Call it in a test, or at
// start; the handler itself serves whatever the broker returns.
func CheckCatalog(c *osb.Catalog) error {
	k := catalogChecker{ids: map[string]string{}}
	names := map[string]bool{}
	for i := range c.Services {
		s := &c.Services[i]
		where := fmt.Sprintf("service %d (%q)", i, s.Name)
		k.common(where, s.ID, s.Name, s.Description)
		k.unique(where, s.Name, names)
		if len(s.Plans) == 0 {
			k.fault(where, "has no plan")
		}
		planNames := map[string]bool{}
		for j := range s.Plans {
			k.plan(fmt.Sprintf("%s, plan %d (%q)", where, j, s.Plans[j].Name), &s.Plans[j], planNames)
		}
	}
	return errors.Join(k.faults...)
}

type catalogChecker struct {
	ids    map[string]string // id → where it was seen first
	faults []error
}

func (k *catalogChecker) fault(where, format string, args ...any) {
	k.faults = append(k.faults, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// common checks what services and plans have alike. Their ids share one space:
// platforms look records up by id alone (B7).
func (k *catalogChecker) common(where, id, name, description string) {
	if id == "" {
		k.fault(where, "has no id")
	} else if first, ok := k.ids[id]; ok {
		k.fault(where, "has the id of %s", first)
	} else {
		k.ids[id] = where
	}
	if name == "" {
		k.fault(where, "has no name")
	}
	if description == "" {
		k.fault(where, "has no description")
	}
}

func (k *catalogChecker) unique(where, name string, names map[string]bool) {
	if names[name] && name != "" {
		k.fault(where, "its name appears twice")
	}
	names[name] = true
}

func (k *catalogChecker) plan(where string, p *osb.Plan, names map[string]bool) {
	k.common(where, p.ID, p.Name, p.Description)
	k.unique(where, p.Name, names)
	if m := p.MaintenanceInfo; m != nil && !semver.MatchString(m.Version) {
		k.fault(where, "maintenance_info.version %q is not semver 2.0", m.Version)
	}
	k.schema(where+", schema for provision", p.ProvisionSchema())
	k.schema(where+", schema for update", p.UpdateSchema())
	k.schema(where+", schema for bind", p.BindSchema())
}

func (k *catalogChecker) schema(where string, raw osb.RawJSON) {
	if raw == nil {
		return
	}
	var schema map[string]any
	switch err := json.Unmarshal(raw, &schema); {
	case err != nil || schema == nil:
		k.fault(where, "is not a JSON object")
		return
	case len(raw) > maxSchema:
		k.fault(where, "is larger than 64 kB")
	}
	if s, _ := schema["$schema"].(string); s == "" {
		k.fault(where, "has no $schema")
	}
	if ref := externalRef(schema); ref != "" {
		k.fault(where, "refers to %q outside of itself", ref)
	}
}

// externalRef finds a $ref that does not begin with #.
func externalRef(v any) string {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
			return ref
		}
		for _, child := range v {
			if ref := externalRef(child); ref != "" {
				return ref
			}
		}
	case []any:
		for _, child := range v {
			if ref := externalRef(child); ref != "" {
				return ref
			}
		}
	}
	return ""
}

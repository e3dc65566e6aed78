package controllers

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// maxDescription bounds what a class or plan shows of a broker's text, in bytes.
const maxDescription = 4096

// offeredPlan is a plan as it should be in the cluster.
type offeredPlan struct {
	Name, Class string
	Spec        v1beta1.CommonServicePlanSpec
}

// offeredClass is a class as it should be in the cluster.
type offeredClass struct {
	Name string
	Spec v1beta1.CommonServiceClassSpec
}

// offer is a whole catalog as it should be in the cluster.
type offer struct {
	Classes []offeredClass
	Plans   []offeredPlan
	// Problems are sentences about entries that were left out.
	Problems []string
	// Keep holds the object names of entries that could not be read: they are
	// unusable now, but the broker did not remove them.
	Keep map[string]bool
}

// offerOf turns a broker's catalog into classes and plans. It is pure. An entry
// that cannot become an object is reported, and the rest is offered.
func offerOf(r *osb.CatalogResponse) offer {
	o := offer{Keep: map[string]bool{}}
	for _, p := range r.Problems {
		o.Problems = append(o.Problems, p.Reason)
		if p.PlanID != "" {
			o.Keep[kubernetesName(p.PlanID)] = true
		} else if p.ServiceID != "" {
			o.Keep[kubernetesName(p.ServiceID)] = true
		}
	}
	for _, s := range r.Catalog.Services {
		class := offeredClass{Name: kubernetesName(s.ID), Spec: classSpec(&s)}
		o.Classes = append(o.Classes, class)
		for _, p := range s.Plans {
			o.Plans = append(o.Plans, offeredPlan{Name: kubernetesName(p.ID), Class: class.Name, Spec: planSpec(&p)})
		}
	}
	return o
}

func classSpec(s *osb.Service) v1beta1.CommonServiceClassSpec {
	return v1beta1.CommonServiceClassSpec{
		ExternalName: s.Name, ExternalID: s.ID, Description: cut(s.Description),
		Bindable: s.Bindable, BindingRetrievable: s.BindingsRetrievable, InstancesRetrievable: s.InstancesRetrievable,
		PlanUpdatable: s.PlanUpdateable, AllowContextUpdates: s.AllowContextUpdates,
		ExternalMetadata: raw(s.Metadata), Tags: s.Tags, Requires: s.Requires,
	}
}

func planSpec(p *osb.Plan) v1beta1.CommonServicePlanSpec {
	spec := v1beta1.CommonServicePlanSpec{
		ExternalName: p.Name, ExternalID: p.ID, Description: cut(p.Description),
		Bindable: p.Bindable, Free: p.IsFree(), PlanUpdatable: p.PlanUpdateable,
		BindingRotatable: p.BindingRotatable, MaximumPollingDuration: p.MaximumPollingDuration,
		ExternalMetadata:                    raw(p.Metadata),
		InstanceCreateParameterSchema:       raw(p.ProvisionSchema()),
		InstanceUpdateParameterSchema:       raw(p.UpdateSchema()),
		ServiceBindingCreateParameterSchema: raw(p.BindSchema()),
	}
	if m := p.MaintenanceInfo; m != nil {
		spec.MaintenanceInfo = &v1beta1.MaintenanceInfo{Version: m.Version, Description: cut(m.Description)}
	}
	return spec
}

// raw keeps a JSON object; anything else cannot be stored in a typed object and
// counts as absent.
func raw(j osb.RawJSON) *runtime.RawExtension {
	if !bytes.HasPrefix(bytes.TrimSpace(j), []byte("{")) {
		return nil
	}
	return &runtime.RawExtension{Raw: j}
}

func cut(s string) string {
	if len(s) <= maxDescription {
		return s
	}
	return strings.ToValidUTF8(s[:maxDescription], "") + "…"
}

// fetchedMessage tells what a fetch brought, and names some of what it did not.
func (o offer) fetchedMessage() string {
	m := fmt.Sprintf("The broker offers %s.", count(len(o.Classes), "class", "classes")+" with "+count(len(o.Plans), "plan", "plans"))
	if len(o.Problems) == 0 {
		return m
	}
	const most = 5
	shown := slices.Clone(o.Problems[:min(most, len(o.Problems))])
	m += fmt.Sprintf(" %s left out until the broker's operator corrects its catalog: %s",
		count(len(o.Problems), "entry is", "entries are"), strings.Join(shown, "; "))
	if more := len(o.Problems) - len(shown); more > 0 {
		m += fmt.Sprintf("; and %d more", more)
	}
	return m + "."
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package controllers

import (
	"bytes"
	"fmt"
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
	// Problems are faults in the catalog, most of them of entries that were left out.
	Problems []v1beta1.SkippedEntry
	// Keep holds the object names of entries that could not be read: they are
	// unusable now, but the broker did not remove them.
	Keep map[string]bool
	// KeepAll: an entry could not be read, and it cannot be told which, so nothing
	// counts as removed.
	KeepAll bool
}

// offerOf turns a broker's catalog into classes and plans. It is pure. An entry
// that cannot become an object is reported, and the rest is offered.
func offerOf(r *osb.CatalogResponse) offer {
	o := offer{Keep: map[string]bool{}}
	for _, p := range r.Problems {
		said := v1beta1.SkippedEntry{ServiceID: p.ServiceID, PlanID: p.PlanID, Reason: p.Reason}
		switch {
		case !p.Skipped: // it is offered all the same
		case p.PlanID != "":
			o.Keep[kubernetesName(p.PlanID)] = true
		case p.ServiceID != "":
			o.Keep[kubernetesName(p.ServiceID)] = true
		default:
			o.KeepAll = true
			said.Reason += "; as it cannot be told which one that is, nothing else counts as removed meanwhile"
		}
		o.Problems = append(o.Problems, bounded(said))
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

// maxSaid bounds each text of an entry that was left out, in bytes: brokers write
// what they want, and a status must not grow with it.
const maxSaid = 512

// bounded cuts the broker's own words.
func bounded(s v1beta1.SkippedEntry) v1beta1.SkippedEntry {
	for _, text := range []*string{&s.ExternalName, &s.ServiceID, &s.PlanID, &s.Reason} {
		if len(*text) > maxSaid {
			*text = strings.ToValidUTF8((*text)[:maxSaid], "") + "…"
		}
	}
	return s
}

// fetchedMessage tells what a fetch brought.
func (o offer) fetchedMessage() string {
	return fmt.Sprintf("The broker offers %s.", count(len(o.Classes), "class", "classes")+" with "+count(len(o.Plans), "plan", "plans"))
}

// maxSkipped is how many of the entries that were left out the status names.
const maxSkipped = 50

// skippedMessage names some of the entries that were left out, and why; "" for none.
func skippedMessage(skipped []v1beta1.SkippedEntry) string {
	if len(skipped) == 0 {
		return ""
	}
	const most = 5
	var parts []string
	for _, s := range skipped[:min(most, len(skipped))] {
		name := ""
		if s.ExternalName != "" {
			name = fmt.Sprintf("%q: ", s.ExternalName)
		}
		parts = append(parts, name+s.Reason)
	}
	more := ""
	if n := len(skipped) - len(parts); n > 0 {
		more = fmt.Sprintf("; and %d more, which status.skippedEntries names", n)
	}
	return fmt.Sprintf("%s of the broker's catalog: %s%s. All else is offered; the broker's operator should correct these.",
		count(len(skipped), "fault was found in an entry", "faults were found in entries"), strings.Join(parts, "; "), more)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

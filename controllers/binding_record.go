package controllers

import (
	"fmt"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// record mirrors what was stored into the status.
func (b *binding) record() {
	s := &b.Status
	s.Secrets, s.SecretSources, s.Endpoints = b.stored.secrets, b.stored.sources, nil
	for _, e := range b.stored.given.Endpoints {
		if e.Protocol == "" {
			e.Protocol = "tcp" // OSB's default
		}
		s.Endpoints = append(s.Endpoints, v1beta1.ServiceEndpoint{Host: e.Host, Ports: e.Ports, Protocol: e.Protocol})
	}
	out := b.stored.out
	b.note(v1beta1.ConditionKeysLeftOut, v1beta1.ReasonKeysLeftOut, leftOutMessage(out.LeftOut, out.LeftOutOfEnv))
	b.note(v1beta1.ConditionNotSupported, v1beta1.ReasonNotSupported, notSupported(b.stored.given))
	b.note(v1beta1.ConditionSecretsAltered, v1beta1.ReasonSecretEdited, "")
}

// note sets a condition that is True or absent.
func (b *binding) note(kind, reason, message string) {
	if message == "" {
		apimeta.RemoveStatusCondition(&b.Status.Conditions, kind)
		return
	}
	apimeta.SetStatusCondition(&b.Status.Conditions, metav1.Condition{
		Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: cutMessage(message),
		ObservedGeneration: b.Generation, LastTransitionTime: metav1.NewTime(b.r.Clock.Now()),
	})
}

// leftOutMessage lists keys that are in no Secret, or in no env Secret; "" for none.
func leftOutMessage(leftOut, ofEnv []string) string {
	var m []string
	if len(ofEnv) > 0 {
		m = append(m, fmt.Sprintf("Left out of the variables, because their names or values do not fit there or are reserved: %s. Read them from the binding's files, or name them in the env annotation.", listed(ofEnv)))
	}
	if len(leftOut) > 0 {
		m = append(m, fmt.Sprintf("Left out of the Secret, because no Secret can have such a key: %s. Take them by other names: spec.secretTransforms renames them.", listed(leftOut)))
	}
	return strings.Join(m, " ")
}

// mostListed is how many names a message has room for.
const mostListed = 20

// listed is the beginning of a list.
func listed(keys []string) string {
	if len(keys) > mostListed {
		return fmt.Sprintf("%s and %d more", strings.Join(keys[:mostListed], ", "), len(keys)-mostListed)
	}
	return strings.Join(keys, ", ")
}

// notSupported names what a broker gave that has no meaning on Kubernetes.
func notSupported(d osb.BindingData) string {
	var parts []string
	for _, p := range []struct {
		name  string
		given bool
	}{
		{"volume_mounts", len(d.VolumeMounts) > 0},
		{"syslog_drain_url", d.SyslogDrainURL != ""},
		{"route_service_url", d.RouteServiceURL != ""},
	} {
		if p.given {
			parts = append(parts, p.name)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("The broker gave %s with the credentials, and nothing is done with it here; if the application needs it, ask the broker's operator for a plan without.", strings.Join(parts, ", "))
}

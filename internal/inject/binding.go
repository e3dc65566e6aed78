package inject

import (
	"strings"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Binding is what injection knows of a ServiceBinding, or of a name that has
// none yet.
type Binding struct {
	// Name of the ServiceBinding.
	Name string
	// Secret and EnvSecret are the names of its Secrets: those that hold the
	// credentials if they are stored, else those that will.
	Secret, EnvSecret string
	// Exists is false for a name that no ServiceBinding has.
	Exists bool
	// Stored says that the credentials are in the Secrets. It does not need the
	// condition Ready: a broker that is down takes no stored credentials away.
	Stored bool
	// Deleting says that the ServiceBinding is being deleted.
	Deleting bool
	// Failed says that the binding cannot succeed without a change.
	Failed bool
	// State says in words why the credentials are not stored; empty if they are.
	State string
}

// maxState is how many bytes of a condition a State repeats.
const maxState = 160

// Observe takes from a ServiceBinding what injection needs. A nil b is a
// binding that does not exist: its Secrets are those that its name gives by
// default.
func Observe(name string, b *v1beta1.ServiceBinding) Binding {
	if b == nil {
		return Binding{
			Name: name, Secret: name, EnvSecret: v1beta1.EnvSecretName(name),
			State: "does not exist yet",
		}
	}
	out := Binding{Name: name, Exists: true, Deleting: b.DeletionTimestamp != nil}
	if b.Status.Binding != nil && b.Status.Binding.Name != "" {
		out.Stored = true
		out.Secret, out.EnvSecret = b.Status.Binding.Name, b.Status.EnvSecretName
	} else {
		out.Secret = b.EffectiveSecretName()
		out.setState(b)
	}
	if out.EnvSecret == "" {
		out.EnvSecret = v1beta1.EnvSecretName(out.Secret)
	}
	return out
}

// setState says why credentials are not stored.
func (o *Binding) setState(b *v1beta1.ServiceBinding) {
	o.State = "has no credentials yet"
	for i := range b.Status.Conditions {
		c := &b.Status.Conditions[i]
		switch c.Type {
		case v1beta1.ConditionFailed:
			o.Failed = c.Status == "True"
		case v1beta1.ConditionReady:
			why := c.Reason
			if message := oneLine(c.Message); message != "" {
				why += ": " + cut(message, maxState)
			}
			o.State = "has no credentials yet (" + why + ")"
		}
	}
}

// oneLine makes a condition's message fit into one of ours: no control
// characters, no full stop at the end.
func oneLine(message string) string {
	message = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, message)
	return strings.TrimRight(strings.TrimSpace(message), ".")
}

package inject

import (
	"fmt"
	"strings"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// Outlook says whether a Pod that was injected may start, and if not, why.
type Outlook struct {
	// Waits are the bindings whose credentials are not stored, or are about to be
	// revoked.
	Waits []Wait
	// Renamed are the bindings that use other Secrets than the Pod was given.
	// Such a Pod can never get their credentials and has to be made anew.
	Renamed []Rename
}

// Wait is one binding that a Pod waits for.
type Wait struct {
	// Binding is its name.
	Binding string
	// State says why its credentials are not stored.
	State string
	// Failed says that this will not change by itself.
	Failed bool
}

// Rename is one Secret that a Pod was given and its binding does not use.
type Rename struct {
	// Binding is the binding's name.
	Binding string
	// Given is the Secret that the Pod refers to, Used the binding's.
	Given, Used string
}

// Outlook compares the record of a Pod with its bindings as they are now; find
// is asked once for each binding by name (see Observe). Secret names are
// compared as soon as the binding exists, since they are settled before the
// credentials are stored.
func (in Injected) Outlook(find func(name string) Binding) Outlook {
	var out Outlook
	for _, was := range in.Bindings {
		is := find(was.Name)
		switch {
		case is.Deleting: // what is stored is about to be revoked
			out.Waits = append(out.Waits, Wait{Binding: was.Name, State: "is being deleted"})
		case !is.Stored:
			out.Waits = append(out.Waits, Wait{Binding: was.Name, State: is.State, Failed: is.Failed})
		}
		if !is.Exists {
			continue
		}
		if was.Secret != "" && was.Secret != is.Secret {
			out.Renamed = append(out.Renamed, Rename{was.Name, was.Secret, is.Secret})
		}
		if was.EnvSecret != "" && was.EnvSecret != is.EnvSecret {
			out.Renamed = append(out.Renamed, Rename{was.Name, was.EnvSecret, is.EnvSecret})
		}
	}
	return out
}

// MayStart says that all credentials are stored where the Pod looks for them.
func (o Outlook) MayStart() bool { return len(o.Waits) == 0 && len(o.Renamed) == 0 }

// MustBeRemade says that the Pod refers to Secrets that will never be.
func (o Outlook) MustBeRemade() bool { return len(o.Renamed) > 0 }

// Reason is the reason for the Pod's condition and event.
func (o Outlook) Reason() string {
	switch {
	case o.MustBeRemade():
		return v1beta1.ReasonSecretNameChanged
	case len(o.Waits) > 0:
		return v1beta1.ReasonWaitingForBinding
	}
	return v1beta1.ReasonCredentialsStored
}

// maxMessage is the longest Message in bytes; events take 1024.
const maxMessage = 900

// Message is the sentence for the Pod's condition and event. It only changes
// when the reason to wait does.
func (o Outlook) Message() string {
	parts := make([]string, 0, len(o.Renamed)+len(o.Waits))
	for _, r := range o.Renamed {
		parts = append(parts, fmt.Sprintf("binding %q stores its credentials in Secret %q, but this Pod was given %q", r.Binding, r.Used, r.Given))
	}
	if o.MustBeRemade() {
		return advise(strings.Join(parts, "; "), ". Create the Pod anew.")
	}
	advice := ". The Pod starts by itself when they are stored."
	for _, w := range o.Waits {
		parts = append(parts, fmt.Sprintf("binding %q %s", w.Binding, w.State))
		if w.Failed {
			advice = ". A binding that failed needs a change first: see its condition Failed."
		}
	}
	if len(parts) == 0 {
		return "The credentials of all bindings are stored."
	}
	return advise("Waiting for credentials: "+strings.Join(parts, "; "), advice)
}

// advise puts the way out behind a text, whatever the text's length.
func advise(text, advice string) string { return cut(text, maxMessage-len(advice)) + advice }

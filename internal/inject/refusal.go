package inject

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// ErrMalformed says that the bytes are no Pod that an API server could have
// sent: broken JSON, a name twice in one object, or a field of another type.
var ErrMalformed = errors.New("malformed Pod")

// Reason classes a Refusal; metrics count by it.
type Reason string

// The reasons of refusals.
const (
	// ReasonBindingName: the list of bindings is missing, empty or malformed.
	ReasonBindingName Reason = "BindingName"
	// ReasonBindingDeleting: a binding is being deleted.
	ReasonBindingDeleting Reason = "BindingDeleting"
	// ReasonNotReady: credentials are not stored and the Pod rejects waiting.
	ReasonNotReady Reason = "NotReady"
	// ReasonUnknownAnnotation: an annotation of ours that does not exist.
	ReasonUnknownAnnotation Reason = "UnknownAnnotation"
	// ReasonSetting: an annotation has a value that it cannot have, or two
	// annotations contradict each other.
	ReasonSetting Reason = "Setting"
	// ReasonUnknownContainer: a container is named that the Pod does not have.
	ReasonUnknownContainer Reason = "UnknownContainer"
	// ReasonMountPath: a mount path is malformed or taken.
	ReasonMountPath Reason = "MountPath"
	// ReasonRoot: the value of SERVICE_BINDING_ROOT cannot be known or used.
	ReasonRoot Reason = "Root"
	// ReasonVariable: an environment variable is malformed or given twice.
	ReasonVariable Reason = "Variable"
	// ReasonPrefix: two bindings would share a prefix in one container.
	ReasonPrefix Reason = "Prefix"
	// ReasonVolume: the name of a volume of ours is taken.
	ReasonVolume Reason = "Volume"
	// ReasonTooLarge: more is asked for than a Pod can hold.
	ReasonTooLarge Reason = "TooLarge"
)

// Refusal is the answer to a Pod that cannot be injected as its annotations
// say. Message is a sentence for the user that says what is wrong and the way
// out; it continues "denied the request: ".
type Refusal struct {
	Reason  Reason
	Message string
}

// Error is the Refusal's sentence.
func (r *Refusal) Error() string { return r.Message }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func tooLarge() *Refusal {
	return refuse(ReasonTooLarge, "injection would add more than %d bytes to the Pod; name fewer bindings in %s, or fewer containers in %s",
		maxPatch, v1beta1.AnnotationBinding, v1beta1.AnnotationContainers)
}

// maxShown is how many bytes of a user's text a message repeats.
const maxShown = 64

// show quotes a user's text for a message, cut so that a message stays short.
func show[T string | []byte](text T) string {
	return strconv.Quote(cut(string(text), maxShown))
}

const ellipsis = "…"

// cut shortens text to at most limit bytes, between two runes, and puts an
// ellipsis where something is left out. (What limits messages in Kubernetes
// counts runes here and bytes there; fewer bytes are fewer runes.)
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

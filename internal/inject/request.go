package inject

import (
	"fmt"
	"slices"
	"strings"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// MaxBindings is how many bindings one Pod may name. It bounds the look-ups of
// one admission and the cost of the guard policy.
const MaxBindings = 32

// maxVariables is how many explicit variables a Pod may ask for, and
// maxNamed how many containers one annotation may name. The API server looks at
// the size of annotations only after us, so that without bounds a few hundred
// kilobytes of text would keep us busy for minutes.
const (
	maxVariables = 512
	maxNamed     = 100
)

// maxWarnings is how many sentences a user gets; the API server cuts those that
// have more than 4 KiB together.
const maxWarnings = 64

// Request is what a Pod's annotations ask for.
type Request struct {
	wishes   []wish
	injected string // the record of an earlier pass, or of a copied Pod
	warnings warnings
	vars     int // explicit variables of all wishes
}

// warnings are sentences for the user, each once.
type warnings []string

func (w *warnings) add(format string, args ...any) {
	if len(*w) == maxWarnings {
		return
	}
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(*w, text) {
		*w = append(*w, text)
	}
}

// Names are the bindings asked for, in the order of the annotation.
func (r *Request) Names() []string {
	names := make([]string, len(r.wishes))
	for i := range r.wishes {
		names[i] = r.wishes[i].name
	}
	return names
}

// wish is what is asked for one binding.
type wish struct {
	name       string
	files      bool
	auto       bool       // automatic variables from the env Secret
	vars       []variable // explicit variables; never together with auto
	prefix     string     // of automatic variables
	containers []string   // nil: all
	mountPath  string     // "": below the container's root
	reject     bool       // refuse rather than wait

	// The annotations that name containers and say reject, for refusals.
	containersKey, rejectKey string
}

// variable is one explicit variable: the value of a key, or the path of its
// file.
type variable struct {
	name, key string
	file      bool
}

// Request reads the annotations. The error is a *Refusal.
func (p *Pod) Request() (*Request, error) {
	req := &Request{}
	given := make([]given, 0, len(p.marks))
	for _, m := range p.marks {
		g, err := parseMark(m)
		if err != nil {
			return nil, err
		}
		if g.setting == settingInjected {
			req.injected = g.value
			continue
		}
		given = append(given, g)
	}
	if len(given) == 0 {
		return nil, refuse(ReasonBindingName, "the Pod has %s, the record of an injection, but not %s; remove it, with all that was injected, or name a ServiceBinding", v1beta1.AnnotationInjected, v1beta1.AnnotationBinding)
	}
	names, err := bindingNames(given)
	if err != nil {
		return nil, err
	}
	for _, g := range given {
		if g.owner != "" && !slices.Contains(names, g.owner) {
			return nil, refuse(ReasonSetting, "annotation %s is for a binding that %s does not name; name %s there, or remove the annotation",
				show(g.key(g.owner)), v1beta1.AnnotationBinding, show(g.owner))
		}
	}
	req.wishes = make([]wish, len(names))
	for i, name := range names {
		w := wisher{given: given, name: name, several: len(names) > 1, req: req}
		if req.wishes[i], err = w.wish(); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// bindingNames reads the list of bindings.
func bindingNames(all []given) ([]string, error) {
	at := slices.IndexFunc(all, func(g given) bool { return g.setting == settingBinding })
	if at < 0 {
		return nil, refuse(ReasonBindingName, "the Pod has annotations of ours but not %s; name a ServiceBinding there, or remove them", v1beta1.AnnotationBinding)
	}
	value := all[at].value
	if strings.TrimSpace(value) == "" {
		return nil, refuse(ReasonBindingName, "annotation %s is empty; name a ServiceBinding of the Pod's namespace, or several separated by commas", v1beta1.AnnotationBinding)
	}
	names := make([]string, 0, min(1+strings.Count(value, ","), MaxBindings))
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
			return nil, refuse(ReasonBindingName, "annotation %s has an empty name in %s; separate names by single commas", v1beta1.AnnotationBinding, show(value))
		case !isObjectName(name):
			return nil, refuse(ReasonBindingName, "annotation %s has the malformed name %s; a ServiceBinding's name is lower case letters, digits, - and . only", v1beta1.AnnotationBinding, show(name))
		case slices.Contains(names, name):
			return nil, refuse(ReasonBindingName, "annotation %s has the name %s twice; once is enough", v1beta1.AnnotationBinding, show(name))
		case len(names) == MaxBindings:
			return nil, refuse(ReasonBindingName, "annotation %s names more than %d bindings; a Pod may have no more", v1beta1.AnnotationBinding, MaxBindings)
		}
		names = append(names, name)
	}
	return names, nil
}

// isObjectName tests for a DNS-1123 subdomain, as names of objects are.
func isObjectName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}

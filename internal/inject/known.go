package inject

import (
	"slices"
	"strings"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// domain is v1beta1.AnnotationPrefix without the slash, which a constant cannot
// be computed from.
const domain = "servicecatalog.k8s.io"

// setting is what follows the slash of an annotation that a user writes.
type setting string

// The settings. All but settingBinding may be given per binding.
const (
	settingBinding      setting = "binding"
	settingInject       setting = "inject"
	settingContainers   setting = "containers"
	settingMountPath    setting = "mount-path"
	settingEnvPrefix    setting = "env-prefix"
	settingEnv          setting = "env"
	settingWhenNotReady setting = "when-not-ready"
	settingRestart      setting = "restart-on-rotation"

	// settingInjected is the record that we write ourselves.
	settingInjected setting = "injected"
)

// settings lists what may be written, for a suggestion after a typo.
func settings() []setting {
	return []setting{
		settingBinding, settingInject, settingContainers, settingMountPath,
		settingEnvPrefix, settingEnv, settingWhenNotReady, settingRestart,
	}
}

// key is a setting's annotation, of one binding if owner is not empty.
func (s setting) key(owner string) string {
	if owner != "" {
		return owner + "." + v1beta1.AnnotationPrefix + string(s)
	}
	return v1beta1.AnnotationPrefix + string(s)
}

// given is one annotation that a user wrote, taken apart.
type given struct {
	owner string // the binding it is for; "" for all
	setting
	value string
}

// parseMark takes an annotation of ours apart, or refuses one that does not
// exist and says which was meant.
func parseMark(m mark) (given, error) {
	host, name, _ := strings.Cut(m.key, "/")
	owner := ""
	if host != domain {
		owner = strings.TrimSuffix(host, "."+domain)
	}
	s := setting(name)
	known := slices.Contains(settings(), s) || s == settingInjected
	perBinding := s != settingBinding && s != settingInjected
	if known && (owner == "" || perBinding) {
		return given{owner, s, m.value}, nil
	}
	if known {
		return given{}, refuse(ReasonUnknownAnnotation, "annotation %s is not known: %s cannot be given per binding; write %s",
			show(m.key), s, s.key(""))
	}
	return given{}, refuse(ReasonUnknownAnnotation, "annotation %s is not known; %s", show(m.key), suggestion(name, owner))
}

// suggestion names the annotation that was probably meant, or all there are.
func suggestion(name, owner string) string {
	best, distance := setting(""), len(name)/2+1
	for _, s := range settings() {
		if owner != "" && s == settingBinding {
			continue
		}
		if d := edits(name, string(s)); d < distance {
			best, distance = s, d
		}
	}
	if best != "" {
		return "did you mean " + best.key(owner) + "?"
	}
	all := make([]string, 0, len(settings()))
	for _, s := range settings() {
		all = append(all, string(s))
	}
	return "under " + v1beta1.AnnotationPrefix + " there are " + strings.Join(all, ", ")
}

// maxTypo bounds the work of edits: longer names are no typos of ours.
const maxTypo = 64

// edits is the Levenshtein distance of two names.
func edits(a, b string) int {
	if len(a) > maxTypo {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

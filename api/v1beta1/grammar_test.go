package v1beta1_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"pgregory.net/rapid"
)

// patterns returns the regular expressions in the rules of a schema that contain
// some text.
func patterns(t *testing.T, s schema, with string) []*regexp.Regexp {
	t.Helper()
	var out []*regexp.Regexp
	for _, r := range s.Validations {
		if !strings.Contains(r.Rule, with) {
			continue
		}
		for _, match := range regexp.MustCompile(`matches\(r'([^']*)'\)`).FindAllStringSubmatch(r.Rule, -1) {
			out = append(out, regexp.MustCompile(match[1]))
		}
	}
	require.NotEmpty(t, out)
	return out
}

// TestRestrictionsHaveTheGrammarOfLabelSelectors holds the rules to the parser that
// the controllers use: the same terms are accepted, but for the operators that make
// no sense for a property (!, <, >).
func TestRestrictionsHaveTheGrammarOfLabelSelectors(t *testing.T) {
	t.Parallel()
	all := crds(t)
	spec := func(kind string) schema {
		s, ok := all[kind].schema().at("spec")
		require.True(t, ok)
		return s
	}
	classes, ok := all["ServiceBroker"].schema().at("spec.catalogRestrictions.serviceClass[]")
	require.True(t, ok)
	for name, tc := range map[string]struct {
		rules      []*regexp.Regexp
		properties []string
	}{
		"classes": {patterns(t, classes, "matches"), []string{"name", "spec.externalName", "spec.externalID"}},
		"plans of a ClusterServiceBroker": {
			patterns(t, spec("ClusterServiceBroker"), "servicePlan"),
			[]string{"name", "spec.externalName", "spec.externalID", "spec.free", "spec.clusterServiceClass.name"},
		},
		"plans of a ServiceBroker": {
			patterns(t, spec("ServiceBroker"), "servicePlan"),
			[]string{"name", "spec.externalName", "spec.externalID", "spec.free", "spec.serviceClass.name"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Len(t, tc.rules, 2, "what a term is, and what it must not have")
			accepted := func(term string) bool { return tc.rules[0].MatchString(term) && !tc.rules[1].MatchString(term) }
			tokens := rapid.SampledFrom(slices.Concat(tc.properties, []string{
				"=", "==", "!=", " in ", " notin ", "in", "(", ")", "(a)", "(a, b)", ",", " ", "\t", "\n", "!", ">", "a", "a-b", "-", "A.b_1",
				"spec.price", "spec.externalName=", "name in (", strings.Repeat("x", 63), strings.Repeat("x", 64),
			}))
			rapid.Check(t, func(r *rapid.T) {
				term := strings.Join(rapid.SliceOfN(tokens, 0, 9).Draw(r, "tokens"), "")
				if got, want := accepted(term), readable(term, tc.properties); got != want {
					r.Fatalf("%q: the rule says %t, the parser %t", term, got, want)
				}
			})
			for _, property := range tc.properties {
				for _, form := range []string{"%", "%=a", "% == a", "%!=a", "% in (a, b)", "% notin (a)", " % in (a),%==b", "%="} {
					assert.True(t, accepted(strings.ReplaceAll(form, "%", property)), form)
				}
				for _, form := range []string{"", "!%", "% > 5", "%=a,", ",%=a", "%=a b", "%=a,price=1", "% in a", "%=-a", "%=" + strings.Repeat("x", 64)} {
					assert.False(t, accepted(strings.ReplaceAll(form, "%", property)), form)
				}
			}
		})
	}
}

// readable says whether the controllers can use a term.
func readable(term string, properties []string) bool {
	s, err := labels.Parse(term)
	if err != nil {
		return false
	}
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		if !slices.Contains(properties, r.Key()) || slices.Contains([]selection.Operator{selection.DoesNotExist, selection.GreaterThan, selection.LessThan}, r.Operator()) {
			return false
		}
	}
	return len(requirements) > 0
}

// TestDurationsAreThoseOfGo makes sure that no duration gets past the rule that the
// Go types cannot read: one such object would stop every typed client's list.
func TestDurationsAreThoseOfGo(t *testing.T) {
	t.Parallel()
	found := 0
	for kind, paths := range map[string][]string{
		"ClusterServiceBroker": {"spec.relistDuration", "spec.osb.timeout"},
		"ServiceBroker":        {"spec.relistDuration", "spec.osb.timeout"},
		"ServiceBinding":       {"spec.rotation.interval", "spec.rotation.overlap", "spec.rotation.maxOverlap", "spec.rotation.window.duration"},
	} {
		s := crds(t)[kind].schema()
		for _, path := range paths {
			field, ok := s.at(path)
			require.True(t, ok, path)
			for _, pattern := range patterns(t, field, "duration(") {
				found++
				rapid.Check(t, func(r *rapid.T) {
					text := rapid.StringMatching(pattern.String()).Draw(r, "text")
					_, err := time.ParseDuration(text)
					require.NoError(r, err)
				})
				rapid.Check(t, func(r *rapid.T) {
					d := time.Duration(rapid.Int64Range(1, int64(99999*time.Hour)).Draw(r, "duration"))
					require.Regexp(r, pattern, d.String())
				})
				for _, text := range []string{"15m", "1h30m", "24h", "30m1h", "1.5h", ".5h", "90s", "500ms", "+5m", "1\u00b5s", "1\u03bcs", "0s"} {
					assert.Regexp(t, pattern, text, path)
				}
				for _, text := range []string{"", "15", "5d", "-5m", "0", "h", ".h", "1 h", " 5m", "5M", "100000h", "2562048h", "1h-5m"} {
					assert.NotRegexp(t, pattern, text, path)
				}
			}
		}
	}
	assert.GreaterOrEqual(t, found, 8)
}

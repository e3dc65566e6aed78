//go:build integration

package api_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestInvalidManifestsAreRefusedWithASentence(t *testing.T) {
	all := load(t, invalidFolder)
	var refusals []string
	for _, without := range []string{"nothing", "webhook"} {
		t.Run("without "+without, func(t *testing.T) {
			if without == "webhook" {
				withoutWebhook(t)
			}
			for _, m := range all {
				if (m.without == "webhook") == (without == "webhook") {
					t.Run(m.name, func(t *testing.T) { refusals = append(refusals, m.refusal(t)) })
				}
			}
		})
	}
	if len(refusals) == len(all) { // and not those alone that -run asks for
		checkRules(t, refusals)
		checkPolicies(t, refusals)
	}
}

// checkRules asserts that every sentence of the schemas came up among the refusals,
// word by word.
func checkRules(t *testing.T, refusals []string) {
	t.Helper()
	for kind, schema := range schemas(t) {
		for _, message := range messages(schema) {
			assert.True(t, slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(r, message) }),
				"%s: no invalid manifest is refused with: %s", kind, message)
		}
	}
}

// refusal tells the story of an invalid manifest and returns how it ends.
func (m *manifest) refusal(t *testing.T) string {
	t.Helper()
	prepare(t, m)
	earlier := m.docs[:len(m.docs)-1]
	for i, doc := range earlier {
		_, err := as(t, doc.user()).act(t.Context(), doc, doc.verbAfter(earlier[:i]), false)
		require.NoError(t, err, "document %d is not the one to be refused", i+1)
	}
	doc := m.last()
	verb, user := doc.verbAfter(earlier), as(t, doc.user())
	before, errBefore := get(t.Context(), doc.obj)
	eventually(t, func() bool {
		_, err := user.act(t.Context(), doc, verb, true)
		return err != nil
	})
	_, err := user.act(t.Context(), doc, verb, false)
	require.ErrorContains(t, err, m.refused)
	t.Logf("refused: %s", err)
	assert.True(t, apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err), "refused with %q", apierrors.ReasonForError(err))

	after, errAfter := get(t.Context(), doc.obj)
	assert.Equal(t, apierrors.IsNotFound(errBefore), apierrors.IsNotFound(errAfter), "refused, and yet it exists")
	assert.Equal(t, before.GetResourceVersion(), after.GetResourceVersion(), "refused, and yet it changed")
	return err.Error()
}

// literal is a text in a CEL expression.
var literal = regexp.MustCompile(`'([^']*)'`)

// checkPolicies asserts that every sentence with which the chart's policies refuse
// an object of our kinds came up among the refusals.
func checkPolicies(t *testing.T, refusals []string) {
	t.Helper()
	policies := &admissionregistrationv1.ValidatingAdmissionPolicyList{}
	bindings := &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{}
	require.NoError(t, shared.List(t.Context(), policies))
	require.NoError(t, shared.List(t.Context(), bindings))
	seen := 0
	for _, b := range bindings.Items {
		i := slices.IndexFunc(policies.Items, func(p admissionregistrationv1.ValidatingAdmissionPolicy) bool { return p.Name == b.Spec.PolicyName })
		require.GreaterOrEqual(t, i, 0, b.Spec.PolicyName)
		if !slices.Contains(b.Spec.ValidationActions, admissionregistrationv1.Deny) || !isAboutUs(policies.Items[i]) {
			continue
		}
		for _, v := range policies.Items[i].Spec.Validations {
			seen++
			parts := []string{v.Message}
			if v.MessageExpression != "" {
				parts = nil
				for _, found := range literal.FindAllStringSubmatch(v.MessageExpression, -1) {
					if len(found[1]) > len("servicebindings") { // else it need not be said
						parts = append(parts, found[1])
					}
				}
			}
			met := slices.ContainsFunc(refusals, func(r string) bool {
				return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(r, part) })
			})
			assert.True(t, met, "%s: no invalid manifest is refused with: %s", b.Spec.PolicyName, v.Message)
		}
	}
	assert.NotZero(t, seen, "there are no policies")
}

// isAboutUs reports whether a policy is asked about objects of our kinds.
func isAboutUs(p admissionregistrationv1.ValidatingAdmissionPolicy) bool {
	return slices.ContainsFunc(p.Spec.MatchConstraints.ResourceRules, func(r admissionregistrationv1.NamedRuleWithOperations) bool {
		return slices.Contains(r.APIGroups, "servicecatalog.k8s.io")
	})
}

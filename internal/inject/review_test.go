package inject_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

const (
	reviewHead = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","namespace":"shop","operation":"CREATE","resource":{"group":"","version":"v1","resource":"pods"}`
	reviewTail = `}}`
)

func TestReview(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		pod  bool
	}{
		"a new Pod":                        {reviewHead + `,"object":` + plainPod + reviewTail, true},
		"a Pod that comes before its kind": {`{"apiVersion":"admission.k8s.io/v1","request":{"object":` + plainPod + `,"uid":"u-1","namespace":"shop","operation":"CREATE","resource":{"resource":"pods"}}}`, true},
		"a Pod without content":            {reviewHead + `,"object":null` + reviewTail, true},
		"another operation":                {strings.Replace(reviewHead, "CREATE", "UPDATE", 1) + `,"object":` + plainPod + reviewTail, false},
		"a sub-resource that comes last":   {reviewHead + `,"object":` + plainPod + `,"subResource":"eviction"` + reviewTail, false},
		"another group":                    {strings.Replace(reviewHead, `"group":""`, `"group":"metrics.k8s.io"`, 1) + `,"object":` + plainPod + reviewTail, false},
		"another kind, of any shape":       {strings.Replace(reviewHead, `"pods"`, `"configmaps"`, 1) + `,"object":{"metadata":[],"spec":1}` + reviewTail, false},
		"members of later versions":        {reviewHead + `,"later":{"object":{}},"object":` + plainPod + `},"later":[]}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s inject.Scanner
			for range 2 { // the second time in used memory
				got, err := s.Review([]byte(tc.body))
				require.NoError(t, err)
				assert.Equal(t, "u-1", got.UID)
				assert.Equal(t, "shop", got.Namespace)
				assert.Equal(t, tc.pod, got.Pod != nil)
			}
		})
	}
}

func TestReviewRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":             ``,
		"text":                `hello`,
		"an empty object":     `{}`,
		"another version":     strings.Replace(reviewHead, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1) + reviewTail,
		"no uid":              strings.Replace(reviewHead, "u-1", "", 1) + reviewTail,
		"a uid that is none":  strings.Replace(reviewHead, `"u-1"`, "1", 1) + reviewTail,
		"a malformed Pod":     reviewHead + `,"object":{"spec":[]}` + reviewTail,
		"two objects":         reviewHead + `,"object":{},"object":{}` + reviewTail,
		"something behind it": reviewHead + reviewTail + "{}",
		"a request as list":   `{"apiVersion":"admission.k8s.io/v1","request":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := new(inject.Scanner).Review([]byte(body))
			assert.ErrorIs(t, err, inject.ErrMalformed)
		})
	}
}

// TestAScannerForgetsThePodBefore runs a Pod with everything and then one with
// nothing through the same memory.
func TestAScannerForgetsThePodBefore(t *testing.T) {
	t.Parallel()
	var s inject.Scanner
	full := `{"metadata":{"labels":{"servicecatalog.k8s.io/injection":"done"},"annotations":{"kubernetes.io/config.mirror":"x","servicecatalog.k8s.io/binding":"a","servicecatalog.k8s.io/inject":"env"}},` +
		`"spec":{"nodeName":"n","volumes":[{"name":"v"}],"schedulingGates":[{"name":"g"}],"containers":[{"name":"x","env":[{"name":"A"}],"envFrom":[],"volumeMounts":[]},{"name":"y"}]}}`
	_, err := s.Pod([]byte(full))
	require.NoError(t, err)
	pod, err := s.Pod([]byte(plainPod))
	require.NoError(t, err)
	assert.False(t, pod.Mirror)
	req, err := pod.Request()
	require.NoError(t, err)
	got, err := pod.Plan(req, inject.Input{Bindings: []inject.Binding{stored("orders-db")}, Buffer: []byte("rubbish")})
	require.NoError(t, err)
	want, err := inject.Inject([]byte(plainPod), "", stored)
	require.NoError(t, err)
	assert.Equal(t, string(want.Patch), string(got.Patch))
}

func TestAnswerIsWhatKubernetesReads(t *testing.T) {
	t.Parallel()
	answer := inject.Answer{
		Allowed: true, Patch: []byte(`[{"op":"add"}]`), Audit: strings.Repeat("é", 1000),
		Warnings: []string{"a \"quoted\" one", strings.Repeat("ö", 300)},
	}
	var ar admissionv1.AdmissionReview
	require.NoError(t, json.Unmarshal(answer.Append(nil, `u"1`), &ar))
	assert.Equal(t, "admission.k8s.io/v1", ar.APIVersion)
	assert.Equal(t, "AdmissionReview", ar.Kind)
	got := ar.Response
	assert.EqualValues(t, `u"1`, got.UID)
	assert.True(t, got.Allowed)
	assert.Nil(t, got.Result)
	assert.Equal(t, admissionv1.PatchTypeJSONPatch, *got.PatchType)
	assert.Equal(t, answer.Patch, got.Patch)
	assert.Equal(t, answer.Warnings[0], got.Warnings[0])
	assert.LessOrEqual(t, len([]rune(got.Warnings[1])), 256)
	assert.True(t, strings.HasSuffix(got.Warnings[1], "ö…"), "cut between two letters")
	assert.LessOrEqual(t, len(got.AuditAnnotations[inject.AuditKey]), 1024)

	denied := inject.Answer{Code: 403, Message: "no: \"x\"\n"}
	ar = admissionv1.AdmissionReview{}
	require.NoError(t, json.Unmarshal(denied.Append([]byte(nil), "u"), &ar))
	assert.False(t, ar.Response.Allowed)
	assert.EqualValues(t, 403, ar.Response.Result.Code)
	assert.Equal(t, denied.Message, ar.Response.Result.Message)
	assert.Nil(t, ar.Response.PatchType)
}

// TestConstantsAgree holds what cannot be computed from the API's constants.
func TestConstantsAgree(t *testing.T) {
	t.Parallel()
	res, err := inject.Inject([]byte(plainPod), "shop", stored)
	require.NoError(t, err)
	var pod struct {
		Metadata struct{ Labels, Annotations map[string]string }
	}
	require.NoError(t, json.Unmarshal(applied(t, []byte(plainPod), res.Patch), &pod))
	assert.Equal(t, v1beta1.InjectionDone, pod.Metadata.Labels[v1beta1.LabelInjection])
	assert.Equal(t, res.Injected.String(), pod.Metadata.Annotations[v1beta1.AnnotationInjected])

	labelled := strings.Replace(plainPod, `{"metadata":{`, `{"metadata":{"labels":{"a":"b"},`, 1)
	res, err = inject.Inject([]byte(labelled), "shop", stored)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(applied(t, []byte(labelled), res.Patch), &pod))
	assert.Equal(t, map[string]string{"a": "b", v1beta1.LabelInjection: v1beta1.InjectionDone}, pod.Metadata.Labels)
}

// TestAllocationsDoNotGrowWithThePod holds what the streaming is for.
func TestAllocationsDoNotGrowWithThePod(t *testing.T) {
	allocations := func(variables int) float64 {
		body, th := review(t, variables), &thin{}
		return testing.AllocsPerRun(20, func() {
			_, err := th.answer(body)
			require.NoError(t, err)
		})
	}
	assert.Equal(t, allocations(1), allocations(1000))
}

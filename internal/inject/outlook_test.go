package inject_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/inject"
)

func TestObserve(t *testing.T) {
	t.Parallel()
	ready := func(reason, message string) []metav1.Condition {
		return []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
	}
	for name, tc := range map[string]struct {
		binding *v1beta1.ServiceBinding
		want    inject.Binding
	}{
		"a binding that does not exist has the Secrets of its name": {
			nil,
			inject.Binding{Secret: "db", EnvSecret: "db-env", State: "does not exist yet"},
		},
		"a new binding has the Secrets of its spec": {
			&v1beta1.ServiceBinding{Spec: v1beta1.ServiceBindingSpec{SecretName: "s"}},
			inject.Binding{Secret: "s", EnvSecret: "s-env", Exists: true, State: "has no credentials yet"},
		},
		"a binding that says why it is not ready is quoted in one line": {
			&v1beta1.ServiceBinding{Status: v1beta1.ServiceBindingStatus{CommonStatus: v1beta1.CommonStatus{Conditions: ready("BindCallFailed", "Broker\nsaid no.")}}},
			inject.Binding{Secret: "db", EnvSecret: "db-env", Exists: true, State: "has no credentials yet (BindCallFailed: Broker said no)"},
		},
		"a stored binding counts whatever Ready says": {
			&v1beta1.ServiceBinding{Status: v1beta1.ServiceBindingStatus{
				CommonStatus:  v1beta1.CommonStatus{Conditions: ready("ErrorCallingBroker", "it is down")},
				Binding:       &v1beta1.LocalObjectReference{Name: "kept"},
				EnvSecretName: "kept-env",
			}},
			inject.Binding{Secret: "kept", EnvSecret: "kept-env", Exists: true, Stored: true},
		},
		"a failed binding is known as such": {
			&v1beta1.ServiceBinding{Status: v1beta1.ServiceBindingStatus{CommonStatus: v1beta1.CommonStatus{
				Conditions: []metav1.Condition{{Type: v1beta1.ConditionFailed, Status: metav1.ConditionTrue}}}}},
			inject.Binding{Secret: "db", EnvSecret: "db-env", Exists: true, Failed: true, State: "has no credentials yet"},
		},
		"a binding being deleted is known as such": {
			&v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}}},
			inject.Binding{Secret: "db", EnvSecret: "db-env", Exists: true, Deleting: true, State: "has no credentials yet"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.binding != nil {
				tc.binding.Name = "db"
			}
			tc.want.Name = "db"
			assert.Equal(t, tc.want, inject.Observe("db", tc.binding))
		})
	}
}

func TestOutlook(t *testing.T) {
	t.Parallel()
	record := inject.Injected{Bindings: []inject.InjectedBinding{
		{Name: "db", Volume: "binding-1", Secret: "db", EnvSecret: "db-env", Containers: []string{"app"}},
		{Name: "cache", EnvSecret: "cache-env", Containers: []string{"app"}},
	}}
	missing := func(name string) inject.Binding { return inject.Observe(name, nil) }
	with := func(b inject.Binding) func(string) inject.Binding {
		return func(name string) inject.Binding {
			if name == b.Name {
				return b
			}
			return stored(name)
		}
	}
	for name, tc := range map[string]struct {
		find             func(string) inject.Binding
		mayStart, remade bool
		reason, message  string
	}{
		"all stored: the Pod may start": {
			stored, true, false, v1beta1.ReasonCredentialsStored,
			"The credentials of all bindings are stored.",
		},
		"none exists: the Pod waits for both": {
			missing, false, false, v1beta1.ReasonWaitingForBinding,
			`Waiting for credentials: binding "db" does not exist yet; binding "cache" does not exist yet. The Pod starts by itself when they are stored.`,
		},
		"one failed: somebody has to act": {
			with(inject.Binding{Name: "db", Secret: "db", EnvSecret: "db-env", Exists: true, Failed: true, State: "has no credentials yet (BindCallFailed: no)"}),
			false, false, v1beta1.ReasonWaitingForBinding,
			`Waiting for credentials: binding "db" has no credentials yet (BindCallFailed: no). A binding that failed needs a change first: see its condition Failed.`,
		},
		"one is being deleted, so its credentials are about to be revoked": {
			with(inject.Binding{Name: "db", Secret: "db", EnvSecret: "db-env", Exists: true, Stored: true, Deleting: true}),
			false, false, v1beta1.ReasonWaitingForBinding,
			`Waiting for credentials: binding "db" is being deleted. The Pod starts by itself when they are stored.`,
		},
		"another Secret, even before it is stored: the Pod has to be made anew": {
			with(inject.Binding{Name: "cache", Secret: "x", EnvSecret: "x-env", Exists: true, State: "has no credentials yet"}),
			false, true, v1beta1.ReasonSecretNameChanged,
			`binding "cache" stores its credentials in Secret "x-env", but this Pod was given "cache-env". Create the Pod anew.`,
		},
		"a Secret that the Pod does not use may have any name": {
			with(inject.Binding{Name: "cache", Secret: "x", EnvSecret: "cache-env", Exists: true, Stored: true}),
			true, false, v1beta1.ReasonCredentialsStored, "The credentials of all bindings are stored.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := record.Outlook(tc.find)
			assert.Equal(t, tc.mayStart, got.MayStart())
			assert.Equal(t, tc.remade, got.MustBeRemade())
			assert.Equal(t, tc.reason, got.Reason())
			assert.Equal(t, tc.message, got.Message())
		})
	}
}

func TestMessagesFitIntoAnEvent(t *testing.T) {
	t.Parallel()
	var record inject.Injected
	for range inject.MaxBindings {
		record.Bindings = append(record.Bindings, inject.InjectedBinding{Name: strings.Repeat("x", 253), Secret: "s"})
	}
	waits := record.Outlook(func(name string) inject.Binding {
		return inject.Binding{Name: name, Secret: "s", Failed: true, State: strings.Repeat("größe", 40)}
	}).Message()
	assert.LessOrEqual(t, len(waits), 1024)
	assert.True(t, strings.HasSuffix(waits, "see its condition Failed."), "the advice is not cut off")
	renamed := record.Outlook(func(name string) inject.Binding { return inject.Binding{Name: name, Exists: true, Secret: "t"} }).Message()
	assert.LessOrEqual(t, len(renamed), 1024)
	assert.True(t, strings.HasSuffix(renamed, "Create the Pod anew."), "the advice is not cut off")
}

func TestInjectedSurvivesItsText(t *testing.T) {
	t.Parallel()
	want := inject.Injected{Bindings: []inject.InjectedBinding{
		{Name: "db", Volume: "binding-1", Secret: "s", EnvSecret: "s-env", Containers: []string{"migrate", "app"}},
		{Name: "cache", Secret: "c", Variables: []string{"A", "B"}, Containers: []string{}},
	}}
	text := want.String()
	assert.JSONEq(t, `{"bindings":[
		{"name":"db","volume":"binding-1","secret":"s","envSecret":"s-env","containers":["migrate","app"]},
		{"name":"cache","secret":"c","variables":["A","B"],"containers":[]}]}`, text)
	got, err := inject.ParseInjected(text)
	require.NoError(t, err)
	want.Bindings[1].Containers = nil // an empty list reads as none
	assert.Equal(t, want, got)

	got, err = inject.ParseInjected(`{"later":{},"bindings":[{"name":"db","later":[1]}]}`)
	require.NoError(t, err, "members of later versions are skipped")
	assert.Equal(t, []inject.InjectedBinding{{Name: "db"}}, got.Bindings)
	for _, bad := range []string{"", "{]", `[]`, `{"bindings":1}`, `{"bindings":[{"name":1}]}`} {
		_, err := inject.ParseInjected(bad)
		assert.ErrorIs(t, err, inject.ErrMalformed, bad)
	}
}

//go:build integration

package controllers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// bound is a binding whose credentials are stored, after change.
func (w *world) bound(change func(*v1beta1.ServiceBinding)) (*v1beta1.ServiceBinding, *corev1.Secret) {
	w.Helper()
	i, b := w.instance("orders", "small"), w.binding()
	if change != nil {
		change(b)
	}
	w.create(w.broker, i, b)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	return b, w.secret(b.Status.Binding.Name)
}

func (w *world) secret(name string) *corev1.Secret {
	w.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}}
	require.False(w, w.refresh(s), "there is no Secret %s", name)
	return s
}

// forgetful makes the broker's bindings not retrievable.
func (w *world) forgetful() {
	w.fake.set(func() { w.fake.catalog.Services[0].BindingsRetrievable = false })
}

func TestADeletedSecretIsBackAtOnce(t *testing.T) {
	w := newWorld(t)
	b, s := w.bound(nil)
	for _, name := range []string{b.Status.Binding.Name, b.Status.EnvSecretName} {
		was := w.secret(name)
		require.NoError(t, w.Delete(t.Context(), was.DeepCopy()))
		start := time.Now()
		is := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}}
		w.eventually(name+" is back", func() bool { return !w.refresh(is) && is.UID != was.UID })
		t.Logf("Secret %s was back after %s", name, time.Since(start).Round(time.Millisecond))
		assert.Equal(t, was.Data, is.Data)
	}
	assert.Equal(t, 1, w.fake.count("PUT binding"), "no new credentials were asked for")
	w.eventually("the binding is Ready", func() bool {
		return !w.refresh(b) && condition(b.Status.Conditions, v1beta1.ConditionReady).Status == metav1.ConditionTrue
	})
	assert.NotEmpty(t, s.Data["password"])
}

func TestAnEditedSecretIsMadeWhatItWas(t *testing.T) {
	w := newWorld(t)
	b, was := w.bound(nil)
	s := was.DeepCopy()
	w.edit(s, func() { s.Data["password"] = []byte("mine"); s.Data["more"] = []byte("x"); delete(s.Data, "user") })
	w.eventually("the edit is undone", func() bool { w.refresh(s); return assert.ObjectsAreEqual(was.Data, s.Data) })
	w.edit(s, func() { s.OwnerReferences, s.Labels = nil, map[string]string{"team": "shop"} })
	w.eventually("owner and label are back", func() bool {
		w.refresh(s)
		return metav1.IsControlledBy(s, b) && s.Labels[v1beta1.LabelManaged] == "true"
	})
	assert.Equal(t, "shop", s.Labels["team"], "what others put on the Secret stays")
	assert.Equal(t, 1, w.fake.count("GET binding"), "a change of metadata asks no broker")
}

func TestAnEditThatCannotBeUndoneIsAnsweredWithNewCredentials(t *testing.T) {
	w := newWorld(t)
	w.forgetful()
	b, s := w.bound(nil)
	first := b.Status.ExternalID
	w.edit(s, func() { s.Data["password"] = []byte("mine") })
	w.rotated(b, first)
	second := b.Status.ExternalID
	assert.Equal(t, "p-"+second, w.secretValue("orders-db", "password"))
	assert.Zero(t, w.fake.count("GET binding"))

	// Who goes on editing does not have the broker flooded.
	w.edit(s, func() { s.Data["password"] = []byte("mine again") })
	altered := func() metav1.Condition {
		w.refresh(b)
		return condition(b.Status.Conditions, v1beta1.ConditionSecretsAltered)
	}
	w.eventually("the condition shows", func() bool { return altered().Reason == v1beta1.ReasonSecretEdited })
	assert.Contains(t, altered().Message, `Secret "orders-db" was edited`)
	assert.NotContains(t, altered().Message, "p-"+second)
	assert.Equal(t, metav1.ConditionTrue, condition(b.Status.Conditions, v1beta1.ConditionReady).Status)
	assert.Equal(t, 2, w.fake.count("PUT binding"))
	w.edit(s, func() { s.Data["password"] = []byte("p-" + second) })
	w.eventually("what was put back is right again", func() bool { return altered().Reason == "" })
	w.vanish(b)
	_, bindings := w.fake.held()
	assert.Zero(t, bindings)
}

func TestARepairGoesOnUntilTheBrokerAnswers(t *testing.T) {
	w := newWorld(t)
	b, s := w.bound(nil)
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op == "GET binding" {
				http.Error(rw, "<html>not here</html>", http.StatusNotFound)
				return
			}
			next(rw, r)
		}
	})
	require.NoError(t, w.Delete(t.Context(), s))
	assert.Contains(t, w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonSecretLost).Message, "tried again by itself")
	assert.Equal(t, metav1.ConditionTrue, condition(b.Status.Conditions, v1beta1.ConditionReconciling).Status)
	assert.Zero(t, w.fake.count("DELETE binding"), "404 is no proof that nothing is owed")
}

func TestASecretOfAnotherInPlaceOfOursIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	b, s := w.bound(nil)
	w.edit(s, func() {
		s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "1", Controller: new(true)}}
		s.Data = map[string][]byte{"mine": []byte("yes")}
	})
	assert.Contains(t, w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorInjectingBindResult).Message, `Secret "orders-db" exists and is not of this binding`)
	assert.Equal(t, "yes", string(w.secret(s.Name).Data["mine"]))
	require.NoError(t, w.Delete(t.Context(), s))
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	w.eventually("the credentials are back", func() bool { w.refresh(s); return len(s.Data["password"]) > 0 })
}

func TestARestoredSecretIsTakenBackWithItsType(t *testing.T) {
	w := newWorld(t)
	i, b := w.instance("orders", "small"), w.binding()
	b.Spec.ExternalID = "11111111-2222-3333-4444-555555555555"
	b.Spec.ExternalIDOrigin = v1beta1.ExternalIDGenerated
	restored := func(name string, owners ...metav1.OwnerReference) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, OwnerReferences: owners,
				Annotations: map[string]string{v1beta1.AnnotationBindingID: b.Spec.ExternalID}},
			Type: "example.com/old", StringData: map[string]string{"password": "old"},
		}
	}
	w.create(w.broker, i, restored("orders-db"), restored("orders-db-env", metav1.OwnerReference{
		APIVersion: v1beta1.GroupVersion.String(), Kind: "ServiceBinding", Name: "orders-db", UID: types.UID("of-before"), Controller: new(true)}), b)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	for _, name := range []string{"orders-db", "orders-db-env"} {
		s := w.secret(name)
		assert.True(t, metav1.IsControlledBy(s, b), name)
		assert.Equal(t, corev1.SecretType("example.com/old"), s.Type, name)
	}
	assert.NotEqual(t, "old", string(w.secret("orders-db").Data["password"]))
}

func TestKeysAreCopiedFromASecretAndFollowIt(t *testing.T) {
	w := newWorld(t)
	extra := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "extra", Namespace: w.namespace}, StringData: map[string]string{"ca": "one"}}
	b := w.binding()
	b.Spec.SecretTransforms = []v1beta1.SecretTransform{
		{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Namespace: w.namespace, Name: "extra"}}},
		{RenameKey: &v1beta1.RenameKeyTransform{From: "ca", To: "ca.crt"}},
	}
	w.create(w.broker, w.instance("orders", "small"), b)
	w.eventually("the missing Secret is named", func() bool {
		w.refresh(b)
		return contains(condition(b.Status.Conditions, v1beta1.ConditionReady).Message, `there is no Secret "extra"`)
	})
	assert.Zero(t, w.fake.count("PUT binding"))
	w.create(extra)
	w.becomes(b, metav1.ConditionTrue, v1beta1.ReasonInjectedBindResult)
	assert.Equal(t, "one", string(w.secret("orders-db").Data["ca.crt"]))
	w.edit(extra, func() { extra.Data["ca"] = []byte("two") })
	start := time.Now()
	w.eventually("the copy follows", func() bool { return string(w.secret("orders-db").Data["ca.crt"]) == "two" })
	t.Logf("the copy followed after %s", time.Since(start).Round(time.Millisecond))
	assert.Equal(t, 1, w.fake.count("PUT binding"))
	require.NoError(t, w.Delete(t.Context(), extra))
	w.edit(b, func() { b.Labels = map[string]string{"touched": "yes"} })
	assert.Equal(t, "two", string(w.secret("orders-db").Data["ca.crt"]))
}

func TestASourceThatChangedIsShownWhereCredentialsAreGivenOnce(t *testing.T) {
	w := newWorld(t)
	w.forgetful()
	extra := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "extra", Namespace: w.namespace}, StringData: map[string]string{"ca": "one"}}
	w.create(extra)
	b, _ := w.bound(func(b *v1beta1.ServiceBinding) {
		b.Spec.SecretTransforms = []v1beta1.SecretTransform{{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Namespace: w.namespace, Name: "extra"}}}}
	})
	w.edit(extra, func() { extra.Data["ca"] = []byte("two") })
	w.eventually("the condition shows", func() bool {
		w.refresh(b)
		return condition(b.Status.Conditions, v1beta1.ConditionSecretsAltered).Reason == v1beta1.ReasonSourceChanged
	})
	assert.Equal(t, metav1.ConditionTrue, condition(b.Status.Conditions, v1beta1.ConditionReady).Status)
}

func TestATemplateShapesTheSecret(t *testing.T) {
	w := newWorld(t)
	_, s := w.bound(func(b *v1beta1.ServiceBinding) {
		b.Spec.SecretTemplate = &v1beta1.SecretTemplate{
			Type: "example.com/dsn", Labels: map[string]string{"app": "{{ .instance.name }}"}, VCAPServicesKey: "VCAP_SERVICES",
			StringData: map[string]string{"dsn": "db://{{ .password | urlquery }}@{{ .binding.namespace }}"},
		}
	})
	assert.Equal(t, corev1.SecretType("example.com/dsn"), s.Type)
	assert.Equal(t, "orders", s.Labels["app"])
	assert.Equal(t, "db://"+string(s.Data["password"])+"@"+w.namespace, string(s.Data["dsn"]))
	assert.True(t, json.Valid(s.Data["VCAP_SERVICES"]))
}

func TestATemplateThatCannotWorkAsksNoBroker(t *testing.T) {
	w := newWorld(t)
	i, b := w.instance("orders", "small"), w.binding()
	b.Spec.SecretTemplate = &v1beta1.SecretTemplate{StringData: map[string]string{"dsn": "a\n{{ js .password }}"}}
	w.create(w.broker, i, b)
	assert.Contains(t, w.becomes(b, metav1.ConditionFalse, v1beta1.ReasonErrorWithParameters).Message,
		`spec.secretTemplate.stringData["dsn"], line 2: the function "js" is not available here`)
	assert.Zero(t, w.fake.count("PUT binding"))
}

func TestATemplateThatDoesNotFitGivesTheCredentialsBack(t *testing.T) {
	w := newWorld(t)
	i, b := w.instance("orders", "small"), w.binding()
	b.Spec.SecretTemplate = &v1beta1.SecretTemplate{StringData: map[string]string{"dsn": "{{ .passwort }}"}}
	w.create(w.broker, i, b)
	w.eventually("the condition names the place", func() bool {
		w.refresh(b)
		return contains(condition(b.Status.Conditions, v1beta1.ConditionReady).Message, `line 1, column 3, at ".passwort"`)
	})
	w.eventually("and the credentials are given back", func() bool { _, n := w.fake.held(); return n == 0 })
	w.vanish(b)
}

// TestAnyServiceBindingRuntimeFindsTheSecret does what implementations of
// servicebinding.io do with a Provisioned Service: they know no type of ours.
func TestAnyServiceBindingRuntimeFindsTheSecret(t *testing.T) {
	w := newWorld(t)
	b, _ := w.bound(func(b *v1beta1.ServiceBinding) { b.Spec.Type = "postgresql" })
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("servicecatalog.k8s.io/v1beta1")
	u.SetKind("ServiceBinding")
	require.NoError(t, w.Get(t.Context(), client.ObjectKeyFromObject(b), u))
	name, found, err := unstructured.NestedString(u.Object, "status", "binding", "name")
	require.NoError(t, err)
	require.True(t, found)
	s := w.secret(name)
	assert.Equal(t, "postgresql", string(s.Data["type"]))
	assert.Equal(t, corev1.SecretType("servicebinding.io/postgresql"), s.Type)
	assert.Equal(t, w.broker.Name, string(s.Data["provider"]))
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	require.NoError(t, w.Get(t.Context(), client.ObjectKey{Name: "servicebindings.servicecatalog.k8s.io"}, crd))
	assert.Equal(t, "true", crd.Labels["servicebinding.io/provisioned-service"])
}

func TestWhatHasNoMeaningHereIsNamed(t *testing.T) {
	w := newWorld(t)
	w.fake.set(func() {
		w.fake.fault = func(op string, next http.HandlerFunc, rw http.ResponseWriter, r *http.Request) {
			if op != "PUT binding" {
				next(rw, r)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusCreated)
			_, _ = rw.Write([]byte(`{"credentials":{"a":"b"},"syslog_drain_url":"syslog://x","volume_mounts":[{"driver":"d","container_dir":"/d","mode":"r","device_type":"shared","device":{"volume_id":"v"}}],
				"endpoints":[{"host":"db.example.com","ports":["5432","9000-9010"]}]}`))
		}
	})
	b, _ := w.bound(nil)
	assert.Contains(t, condition(b.Status.Conditions, v1beta1.ConditionNotSupported).Message, "volume_mounts, syslog_drain_url")
	assert.Equal(t, []v1beta1.ServiceEndpoint{{Host: "db.example.com", Ports: []string{"5432", "9000-9010"}, Protocol: "tcp"}}, b.Status.Endpoints)
}

// GetBinding makes the fake broker one whose bindings are retrievable.
func (f *fakeBroker) GetBinding(_ context.Context, r *osb.GetBindingRequest) (*osb.GetBindingResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.bindings[r.BindingID]
	if !ok {
		return nil, broker.ErrNotFound
	}
	return &osb.GetBindingResponse{BindingData: osb.BindingData{Credentials: c}}, nil
}

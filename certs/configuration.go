package certs

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The kinds of webhook configurations.
const (
	mutatingKind   = "MutatingWebhookConfiguration"
	validatingKind = "ValidatingWebhookConfiguration"
)

// configuration is a webhook configuration of either kind. It is all that the rest of the package
// knows of them: the API server trusts a certificate by the same rules in both.
type configuration struct {
	client.Object
	kind string
}

func newMutating(name string) configuration {
	return configuration{kind: mutatingKind, Object: &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}}
}

func newValidating(name string) configuration {
	return configuration{kind: validatingKind, Object: &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}}
}

// webhooks says how each webhook is called, in the order of the configuration: the caBundles in it
// are those at /webhooks/<index>/clientConfig/caBundle.
func (c configuration) webhooks() []*admissionregistrationv1.WebhookClientConfig {
	var calls []*admissionregistrationv1.WebhookClientConfig
	switch config := c.Object.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range config.Webhooks {
			calls = append(calls, &config.Webhooks[i].ClientConfig)
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range config.Webhooks {
			calls = append(calls, &config.Webhooks[i].ClientConfig)
		}
	}
	return calls
}

// reference points at c in an event.
func (c configuration) reference() *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: c.kind, Name: c.GetName(), UID: c.GetUID(),
	}
}

// String names c for people. Two configurations of different kinds may have the same name.
func (c configuration) String() string { return fmt.Sprintf("%s %s", c.kind, c.GetName()) }

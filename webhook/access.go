package webhook

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// secretUse is a Secret that an object makes the controllers read.
type secretUse struct {
	// Field of the spec that names it.
	Field           string
	Namespace, Name string
}

// clusterBrokerSecrets are the Secrets that s names.
func clusterBrokerSecrets(s *v1beta1.ClusterServiceBrokerSpec) []secretUse {
	var uses []secretUse
	add := func(field string, r *v1beta1.ClusterSecretReference) {
		if r != nil && r.SecretRef != nil {
			uses = append(uses, secretUse{field, r.SecretRef.Namespace, r.SecretRef.Name})
		}
	}
	if a := s.AuthInfo; a != nil {
		add("spec.authInfo.basic.secretRef", a.Basic)
		add("spec.authInfo.bearer.secretRef", a.Bearer)
	}
	add("spec.clientCertificate.secretRef", s.ClientCertificate)
	return uses
}

// brokerSecrets are the Secrets that s names, all in its own namespace.
func brokerSecrets(s *v1beta1.ServiceBrokerSpec, namespace string) []secretUse {
	var uses []secretUse
	add := func(field string, r *v1beta1.SecretReference) {
		if r != nil && r.SecretRef != nil {
			uses = append(uses, secretUse{field, namespace, r.SecretRef.Name})
		}
	}
	if a := s.AuthInfo; a != nil {
		add("spec.authInfo.basic.secretRef", a.Basic)
		add("spec.authInfo.bearer.secretRef", a.Bearer)
	}
	add("spec.clientCertificate.secretRef", s.ClientCertificate)
	return uses
}

// parameterSecrets are the Secrets that spec.parametersFrom names.
func parameterSecrets(from []v1beta1.ParametersFromSource, namespace string) []secretUse {
	var uses []secretUse
	for n, f := range from {
		if f.SecretKeyRef != nil {
			uses = append(uses, secretUse{fmt.Sprintf("spec.parametersFrom[%d].secretKeyRef", n), namespace, f.SecretKeyRef.Name})
		}
	}
	return uses
}

// bindingSecrets are the Secrets that s names; those that it copies keys from may
// be in any namespace.
func bindingSecrets(s *v1beta1.ServiceBindingSpec, namespace string) []secretUse {
	uses := parameterSecrets(s.ParametersFrom, namespace)
	for n, t := range s.SecretTransforms {
		if t.AddKeysFrom == nil || t.AddKeysFrom.SecretRef == nil {
			continue
		}
		use := secretUse{fmt.Sprintf("spec.secretTransforms[%d].addKeysFrom.secretRef", n), t.AddKeysFrom.SecretRef.Namespace, t.AddKeysFrom.SecretRef.Name}
		if use.Namespace == "" {
			use.Namespace = namespace
		}
		uses = append(uses, use)
	}
	return uses
}

// added are the uses of Secrets that the old ones do not have.
func added(uses, old []secretUse) []secretUse {
	known := map[secretUse]bool{}
	for _, u := range old {
		known[secretUse{Namespace: u.Namespace, Name: u.Name}] = true
	}
	var out []secretUse
	for _, u := range uses {
		if !known[secretUse{Namespace: u.Namespace, Name: u.Name}] {
			out = append(out, u)
		}
	}
	return out
}

// changedBroker says whether anything but counters changed: the rest of the spec
// decides where the credentials go.
func changedBroker[S any](spec, old S, counters func(*S) *v1beta1.CommonServiceBrokerSpec) bool {
	counters(&spec).RelistRequests, counters(&old).RelistRequests = 0, 0
	return !equality.Semantic.DeepEqual(spec, old)
}

// checkSecrets asks whether the user may read the Secrets. A non-empty sentence
// is the refusal.
func (a *Admission) checkSecrets(ctx context.Context, user authenticationv1.UserInfo, uses []secretUse) (refusal string, err error) {
	for _, u := range uses {
		allowed, err := a.mayGet(ctx, user, u)
		if err != nil {
			return "", err
		}
		if !allowed {
			return fmt.Sprintf("%s names Secret %q in namespace %q, which you (%s) may not read: the controllers would read it for you. "+
				"Name a Secret that you may get, or ask for that right.", u.Field, u.Name, u.Namespace, user.Username), nil
		}
	}
	return "", nil
}

func (a *Admission) mayGet(ctx context.Context, user authenticationv1.UserInfo, u secretUse) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Version: "v1", Resource: "secrets", Namespace: u.Namespace, Name: u.Name},
	}}
	for k, v := range user.Extra {
		if review.Spec.Extra == nil {
			review.Spec.Extra = map[string]authorizationv1.ExtraValue{}
		}
		review.Spec.Extra[k] = authorizationv1.ExtraValue(v)
	}
	if err := a.Live.Create(ctx, review); err != nil {
		return false, fmt.Errorf("review access to Secret %q in namespace %q: %w", u.Name, u.Namespace, err)
	}
	return review.Status.Allowed, nil
}

package controllers

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// ClusterInfo is the ConfigMap that keeps the cluster's id, under the key "id".
const ClusterInfo = "cluster-info"

// EnsureClusterID returns the id that brokers know this cluster by. It is given,
// or read from the ConfigMap cluster-info, or made once and kept there. An id
// that differs from the one in use is refused, since brokers may key what they
// hold by it; and so is making a new one where instances exist already.
func EnsureClusterID(ctx context.Context, c client.Client, namespace, given string) (string, error) {
	key := types.NamespacedName{Namespace: namespace, Name: ClusterInfo}
	for range 3 {
		cm := &corev1.ConfigMap{}
		err := c.Get(ctx, key, cm)
		switch {
		case err == nil && cm.Data["id"] != "":
			if given != "" && given != cm.Data["id"] {
				return "", fmt.Errorf("the given cluster id %q is not %q, which ConfigMap %s holds and brokers know; give that one, or remove the flag", given, cm.Data["id"], key)
			}
			return cm.Data["id"], nil
		case err == nil:
			return "", fmt.Errorf("the ConfigMap %s has no key \"id\"; restore it from a backup, or delete the ConfigMap if no instance was ever provisioned", key)
		case !apierrors.IsNotFound(err):
			return "", fmt.Errorf("read cluster id: %w", err)
		}
		id := given
		if id == "" {
			if id, err = newClusterID(ctx, c, key); err != nil {
				return "", err
			}
		}
		err = c.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ClusterInfo}, Data: map[string]string{"id": id}})
		if err == nil {
			return id, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return "", fmt.Errorf("keep cluster id: %w", err)
		}
	}
	return "", fmt.Errorf("the ConfigMap %s comes and goes; see who deletes it", key)
}

// newClusterID makes an id, unless something was provisioned under one before.
func newClusterID(ctx context.Context, c client.Client, key types.NamespacedName) (string, error) {
	var list v1beta1.ServiceInstanceList
	if err := c.List(ctx, &list); err != nil {
		return "", fmt.Errorf("look for instances: %w", err)
	}
	for _, i := range list.Items {
		if i.Status.DeprovisionStatus == v1beta1.DeprovisionStatusRequired {
			return "", fmt.Errorf("the ConfigMap %s is gone and instances exist that were provisioned under its id; restore it, or give the id by the flag --cluster-id", key)
		}
	}
	return uuid.NewString(), nil
}

package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/osb"
)

// maxContextAnnotation is how long an annotation may be that brokers are told.
const maxContextAnnotation = 4 << 10

// platformContext is the context object of Kubernetes (OSB 2.17 profile).
type platformContext struct {
	Platform             string            `json:"platform"`
	Namespace            string            `json:"namespace"`
	ClusterID            string            `json:"clusterid"`
	InstanceName         string            `json:"instance_name"`
	InstanceAnnotations  map[string]string `json:"instance_annotations,omitempty"`
	NamespaceAnnotations map[string]string `json:"namespace_annotations,omitempty"`
}

// osbContext is the context object of an instance.
func (i *instance) osbContext() osb.RawJSON {
	c := i.context()
	c.NamespaceAnnotations = told(i.space.annotations)
	return encodeContext(c)
}

func (i *instance) context() platformContext {
	return platformContext{
		Platform: osb.PlatformKubernetes, Namespace: i.Namespace, ClusterID: i.r.ClusterID, InstanceName: i.Name,
		InstanceAnnotations: told(i.Annotations),
	}
}

// contextVersion goes before a digest of the context. It changes with what a
// context consists of, so that digests of two versions are never compared.
const contextVersion = "1:"

// contextChecksum is a digest of what of the context may change while the instance
// lives and is watched here; "" if the service does not want to hear of it (P83).
func (i *instance) contextChecksum() string {
	if c := i.found.class.Spec; c == nil || !c.AllowContextUpdates {
		return ""
	}
	sum := sha256.Sum256(encodeContext(i.context()))
	return contextVersion + hex.EncodeToString(sum[:16])
}

func encodeContext(c platformContext) osb.RawJSON {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and maps of them always encode
	}
	return raw
}

// told are the annotations that a broker is told: not those by which tools keep
// the whole manifest, nor our own, nor long ones.
func told(annotations map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range annotations {
		domain, _, _ := strings.Cut(k, "/")
		ours := strings.HasPrefix(k, v1beta1.AnnotationPrefix)
		if ours || domain == "kubectl.kubernetes.io" || len(v) > maxContextAnnotation {
			continue
		}
		out[k] = v
	}
	return out
}

// spaceOf is what brokers get of a namespace.
func (e *Engine) spaceOf(ctx context.Context, name string) (space, error) {
	ns := &corev1.Namespace{}
	if err := e.Get(ctx, types.NamespacedName{Name: name}, ns); err != nil {
		return space{}, fmt.Errorf("read namespace %q: %w", name, err)
	}
	return space{ns.UID, ns.Annotations}, nil
}

// identityOf is the user on whose behalf a broker is called.
func identityOf(u *v1beta1.UserInfo) *osb.Identity {
	if u == nil {
		return nil
	}
	id := &osb.Identity{Username: u.Username, UID: u.UID, Groups: u.Groups}
	for k, v := range u.Extra {
		if id.Extra == nil {
			id.Extra = map[string][]string{}
		}
		id.Extra[k] = v
	}
	return id
}

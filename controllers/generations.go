package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// generations are the ids under which a broker has credentials of a binding, as the
// annotation v1beta1.AnnotationCredentialIDs keeps them.
type generations struct {
	// InForce is the id whose credentials the Secret holds.
	InForce string `json:"inForce"`
	// Next is the id under which new ones are being made; written before its use.
	Next string `json:"next,omitempty"`
	// Generation counts the credentials that there have been.
	Generation int64 `json:"generation,omitempty"`
	// Old are those not yet revoked, the oldest first.
	Old []oldGeneration `json:"old,omitempty"`
}

type oldGeneration struct {
	ID          string     `json:"id"`
	ReplacedAt  time.Time  `json:"replacedAt"`
	RevokeAfter time.Time  `json:"revokeAfter"`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
}

// parseGenerations reads the annotation; the zero value for none.
func parseGenerations(value string) (generations, error) {
	var g generations
	if value == "" {
		return g, nil
	}
	if err := json.Unmarshal([]byte(value), &g); err != nil {
		return g, fmt.Errorf("read annotation %s: %w", v1beta1.AnnotationCredentialIDs, err)
	}
	return g, nil
}

// plain says that there is nothing but the id in force.
func (g generations) plain() bool { return g.Next == "" && g.Generation == 0 && len(g.Old) == 0 }

// String is the annotation.
func (g generations) String() string {
	raw, err := json.Marshal(g)
	if err != nil {
		panic(err) // strings and times always encode
	}
	return string(raw)
}

// generationsOf is what the annotation should say of a binding by its status.
func generationsOf(b *v1beta1.ServiceBinding, next string) generations {
	g := generations{InForce: b.Status.ExternalID, Next: next}
	r := b.Status.Rotation
	if r == nil {
		return g
	}
	g.Generation = r.Generation
	for _, p := range r.Predecessors {
		old := oldGeneration{ID: p.ExternalID, ReplacedAt: p.ReplacedAt.UTC(), RevokeAfter: p.RevokeAfter.UTC()}
		if p.ExpiresAt != nil {
			old.ExpiresAt = new(p.ExpiresAt.UTC())
		}
		g.Old = append(g.Old, old)
	}
	return g
}

// restore puts ids into a binding's status that has none: one restored without its
// status goes on with what it has at the broker.
func (g generations) restore(b *v1beta1.ServiceBinding) {
	s := &b.Status
	s.ExternalID = g.InForce
	if s.ExternalIDOrigin = b.Spec.ExternalIDOrigin; g.InForce != b.Spec.ExternalID {
		s.ExternalIDOrigin = v1beta1.ExternalIDGenerated
	}
	old := slices.DeleteFunc(slices.Clone(g.Old), func(o oldGeneration) bool { return o.ID == g.InForce })
	if g.Next != "" && g.Next != g.InForce {
		// Whether it was ever asked for is not known any more; nobody got it before.
		old = append(old, oldGeneration{ID: g.Next, ReplacedAt: longAgo(), RevokeAfter: longAgo()})
	}
	if g.Generation == 0 && len(old) == 0 {
		return
	}
	s.Rotation = &v1beta1.RotationStatus{Generation: g.Generation, Handled: b.Annotations[v1beta1.AnnotationRotate]}
	for _, o := range old {
		p := v1beta1.Predecessor{ExternalID: o.ID, ReplacedAt: metav1.NewTime(o.ReplacedAt), RevokeAfter: metav1.NewTime(o.RevokeAfter)}
		if o.ExpiresAt != nil {
			p.ExpiresAt = new(metav1.NewTime(*o.ExpiresAt))
		}
		s.Rotation.Predecessors = append(s.Rotation.Predecessors, p)
	}
}

// longAgo is before any container was started.
func longAgo() time.Time { return time.Unix(0, 0).UTC() }

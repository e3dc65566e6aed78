package controllers

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/svc-cat/catalog/api/v1beta1"
)

func TestAnIDIsFilledInOnceAndKeepsItsOrigin(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec, used             string
		specOrigin, usedOrigin v1beta1.ExternalIDOrigin
		derived                string
		want                   string // empty: any
		origin                 v1beta1.ExternalIDOrigin
		filled                 bool
	}{
		"one that was given stays":                 {spec: "mine", specOrigin: v1beta1.ExternalIDGiven, derived: "d", want: "mine", origin: v1beta1.ExternalIDGiven},
		"one that was taken out of spec is back":   {used: "mine", usedOrigin: v1beta1.ExternalIDGiven, want: "mine", origin: v1beta1.ExternalIDGiven, filled: true},
		"a new one is random":                      {origin: v1beta1.ExternalIDGenerated, filled: true},
		"or follows from where the object is":      {derived: "d", want: "d", origin: v1beta1.ExternalIDDerived, filled: true},
		"but one in use goes before a derived one": {used: "mine", usedOrigin: v1beta1.ExternalIDGenerated, derived: "d", want: "mine", origin: v1beta1.ExternalIDGenerated, filled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := identity{&tc.spec, &tc.specOrigin, &tc.used, &tc.usedOrigin, tc.derived}
			assert.Equal(t, tc.filled, i.fill())
			if tc.want != "" {
				assert.Equal(t, tc.want, tc.spec)
			}
			assert.NotEmpty(t, tc.spec)
			assert.Equal(t, tc.origin, tc.specOrigin)
			i.settle()
			assert.Equal(t, tc.spec, tc.used)
			assert.Equal(t, tc.origin, tc.usedOrigin)
			assert.False(t, i.fill())
		})
	}
}

package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
)

// SetupAwake is Setup for a test under a clock of its own: queues wait by the real
// one, so the test wakes bindings when it has moved its clock.
func SetupAwake(ctx context.Context, mgr ctrl.Manager, o Options) (wake func(types.NamespacedName), err error) {
	w, err := setUp(ctx, mgr, o)
	if err != nil {
		return nil, err
	}
	return func(name types.NamespacedName) { w.wake(name, 0) }, nil
}

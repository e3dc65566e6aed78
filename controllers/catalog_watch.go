package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// brokerOfEntry wakes the broker of a class or a plan.
func brokerOfEntry() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: entryOf(o).owner}}}
	})
}

// onRemoval is for the mark that an entry is offered no more. Its last instance may
// have gone before the cache had the mark, and its broker looked in vain then.
func onRemoval() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false }, // brokers look at all that there is when they start
		UpdateFunc:  func(e event.UpdateEvent) bool { return *entryOf(e.ObjectNew).removed && !*entryOf(e.ObjectOld).removed },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

// Package webhook is the server that injects credentials into new Pods: the
// AdmissionReview of one Pod in, a JSON patch, warnings or a refusal out.
//
// It is on the way of every annotated Pod, so it does as little as possible: one
// scan of the bytes, a cached read per binding, one bounded live read for a
// binding that the cache does not know. It refuses to write to the API, to read
// a Secret, to wait behind a rate limiter, and to let a Pod through half
// injected: what goes wrong here is answered with 500, and by failurePolicy Fail
// the Pod is tried again by its owner. It never logs a Pod.
//
// Start reading at Injector.answer, which decides; Server only listens.
// The name is no promise of a public API.
//
// What the process may do is read ServiceBindings:
//
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings,verbs=get;list;watch
package webhook

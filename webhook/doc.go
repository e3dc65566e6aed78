// Package webhook is the server of admission reviews. Injector puts credentials
// into new Pods: the AdmissionReview of one Pod in, a JSON patch, warnings or a
// refusal out. Admission fills in what users leave out of brokers, instances and
// bindings, and refuses what only a look-up shows to be wrong; the CRDs' rules
// and the chart's policies do the rest, without a process of ours.
//
// The Injector is on the way of every annotated Pod, so it does as little as possible: one
// scan of the bytes, a cached read per binding, one bounded live read for a
// binding that the cache does not know. It refuses to write to the API, to read
// a Secret, to wait behind a rate limiter, and to let a Pod through half
// injected: what goes wrong here is answered with 500, and by failurePolicy Fail
// the Pod is tried again by its owner. It never logs a Pod.
//
// Start reading at Injector.answer and at Admission.fill and check, which decide;
// Server only listens.
// The name is no promise of a public API.
//
// What the process may do is read our kinds, as far as it has to, and ask what
// the user before it may do:
//
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=servicebindings;clusterserviceclasses;clusterserviceplans;serviceclasses;serviceplans,verbs=get;list;watch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances,verbs=get;list
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers;servicebrokers,verbs=get
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
package webhook

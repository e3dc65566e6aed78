package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/internal/market"
	"github.com/svc-cat/catalog/osb"
)

// Options are what the controllers need to know.
type Options struct {
	// ClusterID identifies this cluster to brokers; see EnsureClusterID.
	ClusterID string
	// DeriveIDs makes ids of instances and bindings follow from ClusterID, namespace
	// and name where users leave them out; else they are random.
	DeriveIDs bool
	// Concurrent is how many objects of a kind are worked on at once.
	Concurrent int
	// OSBTimeout bounds a request to a broker that names no timeout.
	OSBTimeout time.Duration
	// Addresses says where brokers may be; the zero value refuses loopback.
	Addresses osb.AddressGuard
	// RelistInterval holds for brokers that name none.
	RelistInterval time.Duration
	// IntentTTL is how old a saved intent may be when its call begins.
	IntentTTL time.Duration
	// MaxPolling is how long brokers may work in the background; a week if 0. A plan
	// may say less (maximum_polling_duration).
	MaxPolling time.Duration
	// BrokerConcurrency is how many requests a broker gets at a time that names no
	// number, and BrokerRate how many begin in a second.
	BrokerConcurrency, BrokerRate int
	// RotationRate is how many bindings a minute begin to be renewed by the clock.
	RotationRate int
	// Metrics are told of each call to a broker; may be nil.
	Metrics *Metrics
	// Clock is the time; nil means the real one.
	Clock clock.Clock
}

// CacheOptions keep the cache small: of Pods only those that wait, of Secrets
// only our own and of these what names and versions them, and of nothing its
// managed fields.
func CacheOptions() cache.Options {
	ours := labels.SelectorFromSet(labels.Set{v1beta1.LabelManaged: "true"})
	waiting := labels.SelectorFromSet(labels.Set{v1beta1.LabelInjection: v1beta1.InjectionWaiting})
	return cache.Options{
		DefaultTransform: slim,
		ByObject:         map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: waiting}, &corev1.Secret{}: {Label: ours}},
	}
}

// slim drops what no controller reads. Annotations of Secrets may quote their
// content, so they are not kept either.
func slim(obj any) (any, error) {
	o, ok := obj.(metav1.Object)
	if !ok {
		return obj, nil
	}
	o.SetManagedFields(nil)
	if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
		m.Annotations, m.Labels = nil, nil
	}
	return obj, nil
}

// ClientOptions make reads of Secrets and a few others live.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{
		DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &corev1.Namespace{}},
	}}
}

// Setup registers all controllers with a manager that was made with
// CacheOptions and ClientOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	_, err := setUp(ctx, mgr, o)
	return err
}

// setUp is Setup, and returns what wakes bindings.
func setUp(ctx context.Context, mgr ctrl.Manager, o Options) (*waker, error) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.MaxPolling <= 0 {
		o.MaxPolling = 7 * 24 * time.Hour
	}
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	calls := newCalls(o.Clock, limits{max(1, o.BrokerConcurrency), max(1, o.BrokerRate)})
	if err := mgr.Add(calls); err != nil {
		return nil, fmt.Errorf("set up calls to brokers: %w", err)
	}
	clients := &Clients{Reader: mgr.GetClient(), Timeout: o.OSBTimeout, Addresses: o.Addresses, Observers: []func(broker) osb.Observer{calls.observer, o.Metrics.observer}}
	engine := &Engine{
		Client: mgr.GetClient(), Clients: clients, Calls: calls, Recorder: mgr.GetEventRecorder("service-catalog"),
		Clock: o.Clock, ClusterID: o.ClusterID, DeriveIDs: o.DeriveIDs, IntentTTL: o.IntentTTL, MaxPolling: o.MaxPolling,
	}
	foreign, err := newSecretStream(mgr.GetConfig(), o.Clock)
	if err != nil {
		return nil, err
	}
	if err := mgr.Add(foreign); err != nil {
		return nil, fmt.Errorf("set up the watch of Secrets: %w", err)
	}
	s := setup{mgr: mgr, read: mgr.GetClient(), secrets: foreign, concurrent: max(1, o.Concurrent)}
	for _, kind := range []string{kindClusterBroker, kindBroker} {
		r := &BrokerReconciler{
			Client: mgr.GetClient(), Kind: kind, Clients: clients, Calls: calls, Metrics: o.Metrics,
			Recorder: engine.Recorder, Clock: o.Clock, RelistInterval: o.RelistInterval,
		}
		calls.brokers[kind] = &r.waker
		if err := s.brokers(kind, r); err != nil {
			return nil, fmt.Errorf("set up %s: %w", kind, err)
		}
	}
	if err := s.instances(&InstanceReconciler{Engine: engine}); err != nil {
		return nil, fmt.Errorf("set up instances: %w", err)
	}
	bindings := &BindingReconciler{
		Engine: engine, Ours: mgr.GetCache(), Live: mgr.GetAPIReader(),
		Rotations: newPace(max(1, o.RotationRate), time.Minute),
	}
	if err := s.bindings(bindings); err != nil {
		return nil, fmt.Errorf("set up bindings: %w", err)
	}
	if err := s.pods(&PodReconciler{Client: mgr.GetClient(), Recorder: engine.Recorder, Clock: o.Clock}); err != nil {
		return nil, fmt.Errorf("set up waiting Pods: %w", err)
	}
	if err := s.restarts(&RestartReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: engine.Recorder, Clock: o.Clock,
		Limit: rate.NewLimiter(rate.Every(restartEvery), restartBurst),
	}); err != nil {
		return nil, fmt.Errorf("set up restarts: %w", err)
	}
	return &bindings.waker, nil
}

type setup struct {
	mgr        ctrl.Manager
	read       client.Reader
	secrets    *secretStream
	concurrent int
}

func (s setup) options() controller.Options {
	return controller.Options{MaxConcurrentReconciles: s.concurrent}
}

func (s setup) brokers(kind string, r *BrokerReconciler) error {
	list := func() client.ObjectList {
		if kind == kindClusterBroker {
			return &v1beta1.ClusterServiceBrokerList{}
		}
		return &v1beta1.ServiceBrokerList{}
	}
	return ctrl.NewControllerManagedBy(s.mgr).Named("brokers-"+kind).For(newBroker(kind).Object).
		WatchesRawSource(s.readSecrets(list, brokerSecrets)).
		Watches(&v1beta1.ServiceInstance{}, handler.EnqueueRequestsFromMapFunc(brokerOfInstance(kind)), builder.WithPredicates(lettingGo())).
		Watches(newBroker(kind).newClass(offeredClass{}).Object, s.freedName(r, list), onDelete()).
		Watches(newBroker(kind).newPlan(offeredPlan{}).Object, s.freedName(r, list), onDelete()).
		Watches(newBroker(kind).newClass(offeredClass{}).Object, brokerOfEntry(), onRemoval()).
		Watches(newBroker(kind).newPlan(offeredPlan{}).Object, brokerOfEntry(), onRemoval()).
		WatchesRawSource(r.waker.source()).
		WithOptions(s.options()).Complete(r)
}

// lettingGo is for events after which an instance may not stand any more on what it
// stood on.
func lettingGo() predicate.Predicate {
	refs := func(o client.Object) [4]string {
		s := &o.(*v1beta1.ServiceInstance).Status
		return [4]string{nameOf(s.ClusterServiceClassRef), nameOf(s.ClusterServicePlanRef), localName(s.ServiceClassRef), localName(s.ServicePlanRef)}
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !e.Object.GetDeletionTimestamp().IsZero() },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return !e.ObjectNew.GetDeletionTimestamp().IsZero() || refs(e.ObjectOld) != refs(e.ObjectNew)
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// freedName has the catalogs of those brokers fetched again that could not offer an
// entry, because the name of one that is deleted now was taken.
func (s setup) freedName(r *BrokerReconciler, list func() client.ObjectList) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		brokers := list()
		if err := s.read.List(ctx, brokers, client.InNamespace(o.GetNamespace())); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Could not tell which brokers wait for a name")
			return nil
		}
		_ = apimeta.EachListItem(brokers, func(item runtime.Object) error { // never fails: the func does not
			b := brokerOf(item.(client.Object))
			if slices.ContainsFunc(b.status.SkippedEntries, func(e v1beta1.SkippedEntry) bool { return e.Name == o.GetName() }) {
				r.Calls.askCatalog(b)
			}
			return nil
		})
		return nil
	})
}

func (s setup) instances(r *InstanceReconciler) error {
	list := func() client.ObjectList { return &v1beta1.ServiceInstanceList{} }
	wanted := s.by(list, indexWanted, market.ClassKeys)
	return ctrl.NewControllerManagedBy(s.mgr).Named("instances").For(&v1beta1.ServiceInstance{}).
		Watches(&v1beta1.ServiceBinding{}, handler.EnqueueRequestsFromMapFunc(instanceOfBinding)).
		Watches(&v1beta1.ClusterServiceClass{}, wanted).
		Watches(&v1beta1.ServiceClass{}, wanted).
		Watches(&v1beta1.ClusterServicePlan{}, s.by(list, indexWanted, s.classOfPlan)).
		Watches(&v1beta1.ServicePlan{}, s.by(list, indexWanted, s.classOfPlan)).
		Watches(&v1beta1.ClusterServicePlan{}, s.by(list, indexPlan, keyOfPlan), onMaintenance()).
		Watches(&v1beta1.ServicePlan{}, s.by(list, indexPlan, keyOfPlan), onMaintenance()).
		Watches(&v1beta1.ClusterServiceBroker{}, s.by(list, indexBroker, keyOfBroker)).
		Watches(&v1beta1.ServiceBroker{}, s.by(list, indexBroker, keyOfBroker)).
		WatchesRawSource(s.readSecrets(list, typed(instanceSecrets))).
		Watches(&v1beta1.ServiceInstance{}, s.by(list, indexExternalID, idsOf), onDelete()).
		WatchesRawSource(r.waker.source()).
		WithOptions(s.options()).Complete(r)
}

func (s setup) bindings(r *BindingReconciler) error {
	list := func() client.ObjectList { return &v1beta1.ServiceBindingList{} }
	return ctrl.NewControllerManagedBy(s.mgr).Named("bindings").For(&v1beta1.ServiceBinding{}).
		Watches(&v1beta1.ServiceInstance{}, s.by(list, indexInstance, func(o client.Object) []string { return []string{o.GetName()} })).
		Watches(&v1beta1.ClusterServiceBroker{}, s.by(list, indexBroker, keyOfBroker)).
		Watches(&v1beta1.ServiceBroker{}, s.by(list, indexBroker, keyOfBroker)).
		// Their own Secrets by the cache that they are compared with, others by the stream.
		WatchesMetadata(&corev1.Secret{}, s.by(list, indexSecret, secretOf)).
		WatchesRawSource(s.readSecrets(list, typed(readByBinding))).
		Watches(&v1beta1.ServiceBinding{}, s.by(list, indexExternalID, idsOf), onDelete()).
		WatchesRawSource(r.waker.source()).
		WithOptions(s.options()).Complete(r)
}

// onDelete is for those who wait until something is gone.
func onDelete() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

func (s setup) pods(r reconcile.Reconciler) error {
	list := func() client.ObjectList { return &corev1.PodList{} }
	return ctrl.NewControllerManagedBy(s.mgr).Named("waiting-pods").For(&corev1.Pod{}).
		Watches(&v1beta1.ServiceBinding{}, s.by(list, indexBinding, func(o client.Object) []string { return []string{o.GetName()} })).
		WithOptions(s.options()).Complete(r)
}

// restarts looks at bindings whose credentials have been replaced.
func (s setup) restarts(r reconcile.Reconciler) error {
	open := predicate.NewPredicateFuncs(func(o client.Object) bool {
		_, open := lastSwap(o.(*v1beta1.ServiceBinding))
		return open
	})
	return ctrl.NewControllerManagedBy(s.mgr).Named("restarts").For(&v1beta1.ServiceBinding{}, builder.WithPredicates(open)).
		WithOptions(s.options()).Complete(r)
}

// by maps an event to the objects that an index finds under the keys of the
// event's object. A namespaced object only wakes its own namespace's, but for
// Secrets and ids, which are known beyond it.
func (s setup) by(list func() client.ObjectList, index string, keys func(client.Object) []string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		var out []reconcile.Request
		for _, key := range keys(o) {
			found := list()
			opts := []client.ListOption{client.MatchingFields{index: key}}
			if index != indexSecret && index != indexExternalID {
				opts = append(opts, client.InNamespace(o.GetNamespace()))
			}
			if err := s.read.List(ctx, found, opts...); err != nil {
				ctrl.LoggerFrom(ctx).Error(err, "Could not tell who waits for an object", "index", index)
				continue
			}
			_ = apimeta.EachListItem(found, func(item runtime.Object) error { // never fails: the func does not
				out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(item.(client.Object))})
				return nil
			})
		}
		return out
	})
}

// readSecrets wakes objects when a Secret changes that they read. keys are the index
// by Secrets of the kind.
func (s setup) readSecrets(list func() client.ObjectList, keys client.IndexerFunc) source.Source {
	return s.secrets.source(s.by(list, indexSecret, secretOf), func(ctx context.Context) ([]reconcile.Request, error) {
		found := list()
		if err := s.read.List(ctx, found); err != nil {
			return nil, fmt.Errorf("list who reads Secrets: %w", err)
		}
		var out []reconcile.Request
		err := apimeta.EachListItem(found, func(item runtime.Object) error {
			if o := item.(client.Object); len(keys(o)) > 0 {
				out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)})
			}
			return nil
		})
		return out, err
	})
}

func secretOf(o client.Object) []string { return []string{secretKey(o.GetNamespace(), o.GetName())} }

func keyOfBroker(o client.Object) []string {
	b := brokerOf(o)
	return []string{brokerKey(b.kind, b.GetNamespace(), b.GetName())}
}

// classOfPlan names the class of a plan in all ways; of a class that is not
// there yet, the Kubernetes name is all there is.
func (s setup) classOfPlan(o client.Object) []string {
	e := entryOf(o)
	var class client.Object = &v1beta1.ServiceClass{}
	if o.GetNamespace() == "" {
		class = &v1beta1.ClusterServiceClass{}
	}
	key := types.NamespacedName{Namespace: o.GetNamespace(), Name: e.classRef}
	if err := s.read.Get(context.Background(), key, class); err != nil {
		return nil // the class' own event wakes who waits for it
	}
	return market.ClassKeys(class)
}

func instanceOfBinding(_ context.Context, o client.Object) []reconcile.Request {
	name := o.(*v1beta1.ServiceBinding).Spec.InstanceRef.Name
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}

// brokerOfInstance wakes the broker of an instance, so that what the broker offers no
// more goes with its last instance, and a deleted broker too.
func brokerOfInstance(kind string) handler.MapFunc {
	return func(_ context.Context, o client.Object) []reconcile.Request {
		i := o.(*v1beta1.ServiceInstance)
		ref := i.Status.BrokerRef
		if ref == nil || ref.Kind != kind {
			return nil
		}
		key := types.NamespacedName{Name: ref.Name}
		if kind == kindBroker {
			key.Namespace = i.Namespace
		}
		return []reconcile.Request{{NamespacedName: key}}
	}
}

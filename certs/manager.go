package certs

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

const (
	// fieldManager owns what a Manager writes.
	fieldManager = "catalog-certs"
	// maxSteps bounds the steps of one Reconcile. A whole renewal without waiting takes five.
	maxSteps = 10
	// publishBurst and publishInterval bound the writes to webhook configurations when somebody else
	// keeps writing other bundles: a burst, then one each interval.
	publishBurst    = 30
	publishInterval = 10 * time.Second
)

// Manager keeps the serving certificate of a [Config]: the Secret and the caBundle fields. It is a
// reconciler of one imaginary object; a running one must be the only one, so it belongs into the
// leader.
type Manager struct {
	cfg      Config
	client   client.Client // reads live: what was written is verified by reading it back
	recorder events.EventRecorder

	// Reconcile runs one at a time, so these need no lock. All may be lost in a restart.
	settling  settling
	publishes *rate.Limiter
	reported  string          // the last standing problem that was told
	awaited   map[string]bool // webhook configurations (kind and name) that were told to be missing
}

// NewManager checks cfg, in which zero durations stand for their defaults.
func NewManager(cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("serving certificates: %w", err)
	}
	return &Manager{
		cfg:       cfg,
		publishes: rate.NewLimiter(rate.Every(publishInterval), publishBurst),
		awaited:   map[string]bool{},
	}, nil
}

// SetupWithManager adds m to mgr as a controller that runs in the leader only. It watches the Secret
// and the webhook configurations by their names and nothing else, past the caches of mgr.
func (m *Manager) SetupWithManager(mgr ctrl.Manager) error {
	live, err := client.New(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: newScheme(), Mapper: newMapper(),
	})
	if err != nil {
		return fmt.Errorf("client for serving certificates: %w", err)
	}
	m.client = live
	m.recorder = mgr.GetEventRecorder("servicecatalog.k8s.io/certs")
	c, err := controller.New("certs", mgr, controller.Options{
		Reconciler: m, MaxConcurrentReconciles: 1, NeedLeaderElection: ptr.To(true),
	})
	if err != nil {
		return fmt.Errorf("controller for serving certificates: %w", err)
	}
	return c.Watch(source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		return m.watch(ctx, watcher{config: mgr.GetConfig(), http: mgr.GetHTTPClient()}, queue)
	}))
}

// watch puts the one request into the queue now and whenever an object changes.
func (m *Manager) watch(ctx context.Context, w watcher, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: m.cfg.Namespace, Name: m.cfg.SecretName}}
	queue.Add(request) // nothing may exist yet, and then no event comes
	notify := toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { queue.Add(request) },
		UpdateFunc: func(any, any) { queue.Add(request) },
		DeleteFunc: func(any) { queue.Add(request) },
	}
	if err := w.start(ctx, m.newSecret(), notify); err != nil {
		return err
	}
	for _, config := range m.cfg.configurations() {
		if err := w.start(ctx, config.Object, notify); err != nil {
			return err
		}
	}
	return nil
}

// Reconcile makes all steps that are due. It looks at the cluster anew before each.
func (m *Manager) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var last error
	for range maxSteps {
		seen, err := m.observe(ctx)
		if err != nil {
			return reconcile.Result{}, err
		}
		now := m.cfg.Clock.Now()
		seen.settled = m.settling.observe(now, seen.state)
		next := plan(now, seen.state, m.cfg)
		switch next.action {
		case stay:
			m.reportSettled(now)
			return reconcile.Result{RequeueAfter: next.wait}, nil
		case leaveAlone, waitForClock:
			m.reportBlocked(ctx, next.action, seen)
			return reconcile.Result{RequeueAfter: time.Minute}, nil
		case publish:
			if !m.publishes.AllowN(now, 1) {
				m.reportContested(ctx, seen, next.bundle)
				return reconcile.Result{RequeueAfter: publishInterval}, nil
			}
			last = m.publish(ctx, seen, next.bundle)
		default:
			last = m.write(ctx, now, seen, next)
		}
		if last != nil && !overtaken(next.action, last) {
			return reconcile.Result{}, last
		}
	}
	if last == nil {
		return reconcile.Result{}, fmt.Errorf("serving certificates are not settled after %d steps", maxSteps)
	}
	return reconcile.Result{}, last
}

// overtaken says whether somebody wrote between our look and our write, so that looking again helps.
// The API server answers a failed test of a JSON patch with Invalid.
func overtaken(made action, err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) ||
		made == publish && apierrors.IsInvalid(err)
}

// observation is a state with the objects it was read from.
type observation struct {
	state
	secret  *corev1.Secret  // empty but for its name if it does not exist
	configs []configuration // those that exist
}

// observe reads the webhook configurations first and the Secret after them. So a leader that was
// frozen in between cannot take a CA out of a bundle that the Secret has gained since: what it found
// in the bundle was in the Secret before.
func (m *Manager) observe(ctx context.Context) (observation, error) {
	o := observation{secret: m.newSecret()}
	for _, config := range m.cfg.configurations() {
		err := m.client.Get(ctx, client.ObjectKeyFromObject(config), config.Object)
		if client.IgnoreNotFound(err) != nil {
			return o, fmt.Errorf("get %s: %w", config, err)
		}
		m.noteMissing(ctx, config, err != nil)
		if err != nil {
			continue // nobody calls us through it
		}
		o.configs = append(o.configs, config)
		o.stores = append(o.stores, newTrustStore(config))
		o.seen = latest(o.seen, config)
	}
	switch err := m.client.Get(ctx, client.ObjectKeyFromObject(o.secret), o.secret); {
	case apierrors.IsNotFound(err):
		o.secret = m.newSecret()
	case err != nil:
		return o, fmt.Errorf("get Secret with serving certificates: %w", err)
	default:
		o.exists = true
		o.ours = o.secret.Labels[OwnedLabel] == OwnedValue
		o.contents = parseContents(o.secret)
		o.seen = latest(o.seen, o.secret)
	}
	return o, nil
}

// latest returns the latest time that the API server noted in obj, if that is after t.
func latest(t time.Time, obj client.Object) time.Time {
	if created := obj.GetCreationTimestamp().Time; created.After(t) {
		t = created
	}
	for _, entry := range obj.GetManagedFields() {
		if entry.Time != nil && entry.Time.After(t) {
			t = entry.Time.Time
		}
	}
	return t
}

// write makes a step in the Secret, with an optimistic lock.
func (m *Manager) write(ctx context.Context, now time.Time, o observation, st step) error {
	after, err := o.apply(now, st, m.cfg)
	if err != nil {
		return err
	}
	after.store(o.secret)
	if o.exists {
		err = m.client.Update(ctx, o.secret, client.FieldOwner(fieldManager))
	} else {
		err = m.client.Create(ctx, o.secret, client.FieldOwner(fieldManager))
	}
	if err != nil {
		return fmt.Errorf("write Secret with serving certificates: %w", err)
	}
	m.reportWritten(ctx, o, st, after)
	return nil
}

// publish patches the caBundles that differ. It goes on after a failure, so that one configuration
// does not hold up the others.
func (m *Manager) publish(ctx context.Context, o observation, bundle []*x509.Certificate) error {
	var failed error
	for _, config := range o.configs {
		patch, err := bundlePatch(config, bundle)
		if err != nil {
			return fmt.Errorf("make patch for %s: %w", config, err)
		}
		if patch == nil {
			continue
		}
		err = m.client.Patch(ctx, config.Object, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(fieldManager))
		if err != nil {
			failed = fmt.Errorf("patch caBundle of %s: %w", config, err)
			continue
		}
		m.reportPublished(ctx, o, config, bundle)
	}
	return failed
}

// newSecret has the type of a TLS Secret, so that another provider of the certificate can take it
// over.
func (m *Manager) newSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.cfg.Namespace, Name: m.cfg.SecretName},
		Type:       corev1.SecretTypeTLS,
	}
}

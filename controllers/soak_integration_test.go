//go:build integration

package controllers_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/svc-cat/catalog/api/v1beta1"
	"github.com/svc-cat/catalog/controllers"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

const (
	soakBindings = 100
	soakRate     = 8 // rotations a minute
	// soakEnv bindings have an application that reads its environment once; every
	// second of them is restarted some minutes after the condition named it. Of each
	// kind, half of the bindings have a maxOverlap.
	soakEnv      = 20
	soakReaction = 4 * time.Minute
)

// soak is a world in which hours pass in seconds.
type soak struct {
	*own
	w       *world
	clock   *clocktesting.FakeClock
	broker  *testbroker.Broker
	watched client.Reader
	wake    func(types.NamespacedName)
	// files is what applications that read files read last, by binding.
	files map[string]string
	// envs are the applications that read their environment, by binding.
	envs map[string]*envApp
	// begun is how many binds the broker was asked for before this minute, and most
	// the most in a minute.
	begun, most int
}

// envApp is an application with credentials in its environment.
type envApp struct {
	pod     *corev1.Pod
	has     string
	started time.Time
	// named is since when the condition has named it; zero for not.
	named    time.Time
	restarts bool
	cut      bool
}

func newSoak(t *testing.T) *soak {
	o := newOwn(t)
	s := &soak{own: o, w: o.world(t), clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Minute)), files: map[string]string{}, envs: map[string]*envApp{}}
	name := "s" + uuid.NewString()[:8]
	service := osb.Service{
		ID: name + "-db", Name: name + "-db", Description: "a database", Bindable: true, InstancesRetrievable: true, BindingsRetrievable: true,
		Plans: []osb.Plan{{ID: name + "-small", Name: "small", Description: "a plan"}},
	}
	var err error
	s.broker, err = testbroker.New(testbroker.Options{Catalog: testbroker.CatalogSpec{Services: []osb.Service{service}}, Clock: s.clock})
	require.NoError(t, err)
	server := httptest.NewServer(s.broker)
	t.Cleanup(func() { s.broker.Close(); server.Close() })
	s.w.fake.catalog = &osb.Catalog{Services: []osb.Service{service}}
	s.w.broker.Spec.URL = server.URL
	s.watched = watch(t, o.suite)
	return s
}

// start runs the controllers under the clock of the test.
func (s *soak) start() (stop func()) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	mgr, err := ctrl.NewManager(s.user, ctrl.Options{
		Scheme: s.scheme, Cache: controllers.CacheOptions(), Client: controllers.ClientOptions(),
		Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: new(true)},
	})
	require.NoError(s, err)
	s.wake, err = controllers.SetupAwake(ctx, mgr, controllers.Options{
		ClusterID: "cluster-1", Addresses: testAddresses(), Concurrent: 4, BrokerConcurrency: 10, BrokerRate: 1000,
		OSBTimeout: 10 * time.Second, RelistInterval: 24 * time.Hour, IntentTTL: 8 * time.Second, RotationRate: soakRate, Clock: s.clock,
	})
	require.NoError(s, err)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	require.True(s, mgr.GetCache().WaitForCacheSync(ctx))
	return func() {
		cancel()
		require.NoError(s, <-done)
	}
}

// populate makes the bindings and the applications with variables.
func (s *soak) populate() {
	s.Helper()
	i := s.w.instance("orders", "small")
	s.w.create(s.w.broker, i)
	s.w.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	for n := range soakBindings {
		b := s.w.binding()
		b.Name = fmt.Sprintf("db-%03d", n)
		b.Spec.Rotation = &v1beta1.RotationPolicy{Interval: &metav1.Duration{Duration: 30 * time.Minute}, Overlap: &metav1.Duration{Duration: 10 * time.Minute}}
		if n%4 < 2 {
			b.Spec.Rotation.MaxOverlap = &metav1.Duration{Duration: 20 * time.Minute}
		}
		s.w.create(b)
	}
	s.w.eventually("all are bound", func() bool { return len(s.idle()) == soakBindings })
	s.begun = s.binds()
	for n := range soakEnv {
		name := fmt.Sprintf("db-%03d", n)
		record := fmt.Sprintf(`{"bindings":[{"name":%q,"secret":%q,"envSecret":%q,"containers":["app"]}]}`, name, name, name+"-env")
		app := &envApp{restarts: n%2 == 0, pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "app-" + name, Namespace: s.w.namespace, Labels: map[string]string{v1beta1.LabelInjection: v1beta1.InjectionDone},
				Annotations: map[string]string{v1beta1.AnnotationInjected: record, v1beta1.AnnotationRestartOnRotation: "false"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		}}
		s.w.create(app.pod)
		s.envs[name] = app
		s.begin(app, s.secrets()[name])
	}
}

// begin starts the container of an application, with the credentials of now.
func (s *soak) begin(app *envApp, id string) {
	s.Helper()
	app.has, app.started, app.named = id, s.clock.Now(), time.Time{}
	since := metav1.NewTime(app.started)
	app.pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &since, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: since}}}}}
	require.NoError(s, s.w.Status().Update(s.Context(), app.pod))
}

// binds is how many the broker was asked for.
func (s *soak) binds() int {
	return len(s.broker.Ledger(testbroker.Filter{Operations: []osb.Operation{osb.OpBind}}).Entries)
}

// all are the bindings, as the newest event has them.
func (s *soak) all() []v1beta1.ServiceBinding {
	s.Helper()
	list := &v1beta1.ServiceBindingList{}
	require.NoError(s, s.watched.List(s.Context(), list, client.InNamespace(s.w.namespace)))
	return list.Items
}

// idle are the bindings that work, and for which nothing is under way or overdue, but
// for rotations.
func (s *soak) idle() []v1beta1.ServiceBinding {
	return slices.DeleteFunc(s.all(), func(b v1beta1.ServiceBinding) bool {
		r, now := b.Status.Rotation, s.clock.Now()
		if b.Status.Binding == nil || b.Status.Operation != nil || r == nil || strings.Contains(b.Annotations[v1beta1.AnnotationCredentialIDs], `"next"`) {
			return true
		}
		return slices.ContainsFunc(r.Predecessors, func(p v1beta1.Predecessor) bool { return !p.RevokeAfter.After(now) && !s.used(b.Name, p) })
	})
}

// used says whether an application may have replaced credentials in its environment.
func (s *soak) used(binding string, p v1beta1.Predecessor) bool {
	app := s.envs[binding]
	return app != nil && !app.started.After(p.ReplacedAt.Add(2*time.Minute))
}

// settle waits until all is done that is due at this minute.
func (s *soak) settle() {
	s.Helper()
	deadline, quiet, seen := time.Now().Add(30*time.Second), time.Now(), ""
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		idle := s.idle()
		due, versions := 0, ""
		for _, b := range idle {
			versions += b.ResourceVersion
			if next := b.Status.Rotation.NextTime; next != nil && !next.After(s.clock.Now()) {
				due++
			}
		}
		if versions != seen {
			seen, quiet = versions, time.Now()
		}
		// Who is due and may not begin in this minute waits.
		if len(idle) == soakBindings && (due == 0 || s.binds()-s.begun >= soakRate || time.Since(quiet) > time.Second) {
			return
		}
		require.True(s, time.Now().Before(deadline), "%d of %d are idle at %s", len(idle), soakBindings, s.clock.Now())
	}
}

// minute lets one pass.
func (s *soak) minute() {
	s.Helper()
	s.clock.Step(time.Minute)
	s.look() // who reads late still has what works
	for n := range soakBindings {
		s.wake(types.NamespacedName{Namespace: s.w.namespace, Name: fmt.Sprintf("db-%03d", n)})
	}
	s.settle()
	now := s.binds()
	s.most = max(s.most, now-s.begun)
	s.begun = now
	s.look()
	s.react()
}

// secrets are the ids of the credentials that the Secrets hold, by binding.
func (s *soak) secrets() map[string]string {
	s.Helper()
	list, ids := &corev1.SecretList{}, map[string]string{}
	require.NoError(s, s.w.List(s.Context(), list, client.InNamespace(s.w.namespace), client.MatchingLabels{v1beta1.LabelManaged: "true"}))
	for _, secret := range list.Items {
		name, env := strings.CutSuffix(secret.Name, "-env")
		if !env {
			ids[name] = secret.Annotations[v1beta1.AnnotationBindingID] + " " + string(secret.Data["password"])
		}
	}
	return ids
}

// live are the credentials that the broker takes, each as secrets has it.
func (s *soak) live() map[string]bool {
	state, live := s.broker.State(), map[string]bool{}
	for _, b := range state.Bindings {
		if slices.Contains(state.LiveCredentials, b.InstanceID+"/"+b.ID) {
			live[b.ID+" "+passwordOf(b.Credentials)] = true
		}
	}
	return live
}

// look has every application use what it has, and those with files read them anew.
func (s *soak) look() {
	s.Helper()
	now, live := s.secrets(), s.live()
	require.Len(s, now, soakBindings)
	for name, id := range now {
		if was := s.files[name]; was != "" {
			require.True(s, live[was], "%s: what was read a minute ago is dead at %s", name, s.clock.Now())
		}
		require.True(s, live[id], "%s: the Secret holds dead credentials at %s", name, s.clock.Now())
		s.files[name] = id
	}
	for name, app := range s.envs {
		if live[app.has] {
			continue
		}
		app.cut = true
		require.False(s, app.named.IsZero(), "%s: its application is cut off at %s, and the condition never named it", name, s.clock.Now())
		require.GreaterOrEqual(s, s.clock.Since(app.named), 5*time.Minute, "%s: it was named when it was too late", name)
	}
}

// react notes which applications are named, and restarts those that do as told.
func (s *soak) react() {
	s.Helper()
	for _, b := range s.all() {
		app := s.envs[b.Name]
		if app == nil {
			continue
		}
		c := condition(b.Status.Conditions, v1beta1.ConditionOldCredentialInUse)
		if app.named.IsZero() && strings.Contains(c.Message, app.pod.Name) {
			app.named = s.clock.Now()
		}
		if app.restarts && !app.named.IsZero() && s.clock.Since(app.named) >= soakReaction {
			s.begin(app, s.secrets()[b.Name])
		}
	}
}

// rotations is how often the credentials of all were renewed together.
func (s *soak) rotations() (least, sum int64) {
	least = 1 << 40
	for _, b := range s.all() {
		least, sum = min(least, b.Status.Rotation.Generation), sum+b.Status.Rotation.Generation
	}
	return least, sum
}

// Two hours of a hundred bindings that rotate every half hour, and an hour in which
// nobody looked after them.
func TestTwoHoursOfRotations(t *testing.T) {
	s := newSoak(t)
	began := time.Now()
	stop := s.start()
	s.populate()
	for range 120 {
		s.minute()
	}
	least, sum := s.rotations()
	assert.GreaterOrEqual(t, least, int64(2), "each was renewed in the first and in the second hour")
	s.accounts()

	stop()
	for range 6 { // applications live on
		s.clock.Step(10 * time.Minute)
		s.look()
		s.react()
	}
	stop = s.start()
	for range 18 {
		s.minute()
	}
	after, total := s.rotations()
	assert.Greater(t, after, least, "all were overdue, and are renewed")
	assert.GreaterOrEqual(t, total-sum, int64(soakBindings))
	assert.LessOrEqual(t, s.most, soakRate, "never more in a minute than the rate allows")
	s.accounts()
	stop()
	t.Logf("%d rotations, at most %d in a minute, in %s", total, s.most, time.Since(began).Round(time.Second))
}

// accounts compares broker and cluster: what is live is in a Secret, within its
// overlap, or in an environment that still runs.
func (s *soak) accounts() {
	s.Helper()
	var want, have []string
	cut, kept := 0, 0
	for _, b := range s.all() {
		want = append(want, b.Status.ExternalID)
		for _, p := range b.Status.Rotation.Predecessors {
			within := p.RevokeAfter.After(s.clock.Now())
			assert.True(s, within || s.used(b.Name, p), "%s keeps %s without a reason", b.Name, p.ExternalID)
			if !within {
				kept++
			}
			want = append(want, p.ExternalID)
		}
	}
	for id := range s.live() {
		have = append(have, strings.Fields(id)[0])
	}
	assert.ElementsMatch(s, want, have)
	for name, app := range s.envs {
		if app.cut {
			cut++
			assert.False(s, app.restarts, "%s: who restarts when told is never cut off", name)
		}
	}
	assert.Positive(s, cut, "some who did not restart were cut off at maxOverlap")
	assert.Positive(s, kept, "and some kept what they had, having no maxOverlap")
	assert.Empty(s, s.broker.Ledger(testbroker.Filter{Complaints: true}).Entries)
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Pauses of the stream when the API server does not give it, and how long one
// request lasts.
const (
	firstStreamPause = 500 * time.Millisecond
	maxStreamPause   = 30 * time.Second
	streamTime       = 8 * time.Minute
)

// secretStream tells of changes of any Secret, by one watch of metadata that keeps
// nothing: not even names. However many Secrets there are, they cost no memory; who
// is woken looks by itself at the few that it reads. Where changes may have been
// missed, all who read a Secret are woken.
type secretStream struct {
	secrets metadata.Getter
	clock   clock.Clock

	mu      sync.Mutex
	readers []secretReader
}

// secretReader is one controller whose objects read Secrets.
type secretReader struct {
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
	// of wakes who reads a Secret; all lists who reads any.
	of  handler.EventHandler
	all func(context.Context) ([]reconcile.Request, error)
}

func newSecretStream(cfg *rest.Config, c clock.Clock) (*secretStream, error) {
	m, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("set up the watch of Secrets: %w", err)
	}
	return &secretStream{secrets: m.Resource(corev1.SchemeGroupVersion.WithResource("secrets")), clock: c}, nil
}

// source registers a controller's queue with the stream.
func (s *secretStream) source(of handler.EventHandler, all func(context.Context) ([]reconcile.Request, error)) source.Source {
	return source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.readers = append(s.readers, secretReader{q, of, all})
		return nil
	})
}

// NeedLeaderElection says that only the leader acts on changes.
func (s *secretStream) NeedLeaderElection() bool { return true }

// Start follows the stream until the context ends.
func (s *secretStream) Start(ctx context.Context) error {
	version, pause := "", firstStreamPause
	for ctx.Err() == nil {
		began := s.clock.Now()
		next, err := s.request(ctx, version)
		version = next
		if err == nil || s.clock.Since(began) > maxStreamPause {
			pause = firstStreamPause
		}
		if err != nil && ctx.Err() == nil {
			ctrl.LoggerFrom(ctx).V(1).Info("The watch of Secrets ended; it begins again", "reason", briefly(err))
		}
		select {
		case <-ctx.Done():
		case <-s.clock.After(pause):
		}
		pause = min(2*pause, maxStreamPause)
	}
	return nil
}

// request makes one watch, from a version on or, without one, from now on. It returns
// the version from which to go on.
func (s *secretStream) request(ctx context.Context, version string) (string, error) {
	if version == "" {
		var err error
		if version, err = s.begin(ctx); err != nil {
			return "", err
		}
	}
	return s.follow(ctx, version)
}

// begin finds out from which version on to follow, and wakes all readers: what
// changed before was missed.
func (s *secretStream) begin(ctx context.Context) (string, error) {
	list, err := s.secrets.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return "", fmt.Errorf("list: %w", err)
	}
	for _, r := range s.listeners() {
		requests, err := r.all(ctx)
		if err != nil {
			return "", err
		}
		for _, q := range requests {
			r.queue.Add(q)
		}
	}
	return list.ResourceVersion, nil
}

// follow wakes readers by events after a version, until the request ends. It returns
// the version from which to go on, "" for one that is not known any more.
func (s *secretStream) follow(ctx context.Context, version string) (string, error) {
	seconds := int64(streamTime / time.Second)
	w, err := s.secrets.Watch(ctx, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: &seconds})
	if err != nil {
		return known(version, err), fmt.Errorf("watch: %w", err)
	}
	defer w.Stop()
	for ev := range w.ResultChan() {
		if ev.Type == watch.Error {
			err := apierrors.FromObject(ev.Object)
			return known(version, err), fmt.Errorf("watch: %w", err)
		}
		m, ok := ev.Object.(client.Object)
		if !ok {
			return "", errors.New("watch: an event of another kind")
		}
		version = m.GetResourceVersion()
		if ev.Type == watch.Bookmark {
			continue
		}
		for _, r := range s.listeners() {
			r.of.Generic(ctx, event.GenericEvent{Object: m}, r.queue)
		}
	}
	return version, nil
}

// known is the version, or "" if the API server has forgotten it.
func known(version string, err error) string {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return ""
	}
	return version
}

func (s *secretStream) listeners() []secretReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readers
}

//go:build integration

package api_test

import (
	"cmp"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// actor is a user at a terminal: what the API server warns of, they see.
type actor struct {
	client.Client
	lock   sync.Mutex
	warned []string
}

// HandleWarningHeaderWithContext keeps a warning.
func (a *actor) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.warned = append(a.warned, text)
}

// warnings returns what came since it was last asked.
func (a *actor) warnings() []string {
	a.lock.Lock()
	defer a.lock.Unlock()
	all := a.warned
	a.warned = nil
	return all
}

// colleague is another user with the same rights.
func colleague(user string) string { return user + "-2" }

// as lets a user in.
func as(t *testing.T, user string) *actor {
	t.Helper()
	a, cfg := &actor{}, rest.CopyConfig(shared.cfg)
	cfg.WarningHandlerWithContext = a
	groups, ok := groupsOf[strings.TrimSuffix(user, "-2")]
	switch {
	case ok:
		cfg.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{"system:authenticated"}, groups...)}
	case user == "controllers":
		cfg.Impersonate = account(user)
	default:
		require.FailNow(t, "there is no such user", user)
	}
	c, err := client.New(cfg, client.Options{Mapper: shared.mapper})
	require.NoError(t, err)
	a.Client = client.WithFieldValidation(c, metav1.FieldValidationStrict)
	return a
}

// act does with a document what its verb says, and returns what the API server
// made of it.
func (a *actor) act(ctx context.Context, doc document, verb string, dry bool) (*unstructured.Unstructured, error) {
	obj := doc.obj.DeepCopy()
	switch verb {
	case "create":
		return obj, a.Create(ctx, obj, dryRun[client.CreateOption](dry)...)
	case "update":
		return obj, a.replace(ctx, obj, dryRun[client.UpdateOption](dry)...)
	case "apply":
		options := append(dryRun[client.ApplyOption](dry), client.FieldOwner("gitops"), client.ForceOwnership)
		return obj, a.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...)
	case "delete":
		return obj, a.Delete(ctx, obj, dryRun[client.DeleteOption](dry)...)
	}
	patch, err := json.Marshal(obj.Object)
	if err != nil {
		return nil, err
	}
	if verb == "status" {
		return obj, a.Status().Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch), dryRun[client.SubResourcePatchOption](dry)...)
	}
	return obj, a.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch), dryRun[client.PatchOption](dry)...)
}

// replace is `kubectl replace`: the manifest as it stands, under the resource
// version that the live object has.
func (a *actor) replace(ctx context.Context, obj *unstructured.Unstructured, options ...client.UpdateOption) error {
	live, err := get(ctx, obj)
	if err != nil {
		return err
	}
	obj.SetResourceVersion(live.GetResourceVersion())
	return a.Update(ctx, obj, options...)
}

// dryRun is the option of a trial, for each kind of request.
func dryRun[T any](dry bool) []T {
	if option, ok := any(client.DryRunAll).(T); dry && ok {
		return []T{option}
	}
	return nil
}

// get returns the live object.
func get(ctx context.Context, of *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(of.GroupVersionKind())
	return live, shared.Get(ctx, client.ObjectKeyFromObject(of), live)
}

// prepare makes the objects that a manifest needs, unless they are there.
func prepare(t *testing.T, m *manifest) {
	t.Helper()
	for _, name := range m.needs {
		for _, doc := range read(t, filepath.Join(needsFolder, name+".yaml")).docs {
			if _, err := get(t.Context(), doc.obj); !apierrors.IsNotFound(err) {
				require.NoError(t, err)
				continue
			}
			_, err := as(t, cmp.Or(doc.as, "operator")).act(t.Context(), doc, "create", false)
			require.NoError(t, err, "%s: %s", name, identity(doc.obj))
		}
	}
}

// eventually waits until the webhook has seen what was made before.
func eventually(t *testing.T, try func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !try() && time.Now().Before(deadline); {
		<-time.After(20 * time.Millisecond)
	}
}

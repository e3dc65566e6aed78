package osb_test

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

// mutations are the five calls that a broker may answer with 202, and what they
// read of its operation.
var mutations = map[osb.Operation]func(context.Context, *osb.Client) (string, error){
	osb.OpProvision: func(ctx context.Context, c *osb.Client) (string, error) {
		r, err := c.Provision(ctx, provisionRequest())
		if err != nil {
			return "", err
		}
		return r.Operation, nil
	},
	osb.OpUpdate: func(ctx context.Context, c *osb.Client) (string, error) {
		r, err := c.Update(ctx, &osb.UpdateRequest{InstanceID: "i", ServiceID: "s"})
		if err != nil {
			return "", err
		}
		return r.Operation, nil
	},
	osb.OpDeprovision: func(ctx context.Context, c *osb.Client) (string, error) {
		r, err := c.Deprovision(ctx, &osb.DeprovisionRequest{InstanceID: "i", ServiceID: "s", PlanID: "p"})
		if err != nil {
			return "", err
		}
		return r.Operation, nil
	},
	osb.OpBind: func(ctx context.Context, c *osb.Client) (string, error) {
		r, err := c.Bind(ctx, bindRequest())
		if err != nil {
			return "", err
		}
		return r.Operation, nil
	},
	osb.OpUnbind: func(ctx context.Context, c *osb.Client) (string, error) {
		r, err := c.Unbind(ctx, &osb.UnbindRequest{InstanceID: "i", BindingID: "b", ServiceID: "s", PlanID: "p"})
		if err != nil {
			return "", err
		}
		return r.Operation, nil
	},
}

func bodyWithOperation(t *testing.T, operation string) string {
	t.Helper()
	raw, err := json.Marshal(map[string]string{"operation": operation})
	require.NoError(t, err)
	return string(raw)
}

// TestOperationStrings is P42: opaque, up to 10,000 characters of any kind.
func TestOperationStrings(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("😀", 10000)
	for op, call := range mutations {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			got, err := call(t.Context(), newClient(t, answering(t, 202, bodyWithOperation(t, longest)).URL))
			require.NoError(t, err)
			assert.Equal(t, longest, got, "10,000 characters are kept whole (P42)")

			_, err = call(t.Context(), newClient(t, answering(t, 202, bodyWithOperation(t, longest+"x")).URL))
			e := osb.AsError(err)
			require.NotNil(t, e, "10,001 characters are outside the specification (P42)")
			assert.Equal(t, osb.KindMalformed, e.Kind)
			assert.Equal(t, osb.ActorBroker, e.Actor())
			assert.True(t, e.Lost, "the work goes on, and nobody can ask for its end")
			assert.Equal(t, op == osb.OpProvision || op == osb.OpBind, e.OrphanMitigation, "P128, P129")

			for _, body := range []string{`{}`, `{"operation":null}`, `{"operation":""}`} {
				got, err = call(t.Context(), newClient(t, answering(t, 202, body).URL))
				require.NoError(t, err, body)
				assert.Empty(t, got, body)
			}
			for _, body := range []string{`{"operation":7}`, `{"operation":{}}`} {
				_, err = call(t.Context(), newClient(t, answering(t, 202, body).URL))
				assert.True(t, osb.IsKind(err, osb.KindMalformed), "%s: %v", body, err)
			}
		})
	}
	t.Run("the longest goes back whole on each poll (P42)", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 200, `{"state":"in progress"}`)
		c := newClient(t, f.URL)
		for range 2 {
			_, err := c.LastOperation(t.Context(), &osb.LastOperationRequest{Polled: osb.OpProvision, InstanceID: "i", ServiceID: "s", PlanID: "p", Operation: longest})
			require.NoError(t, err)
			sent, err := url.Parse(f.last(t).uri)
			require.NoError(t, err)
			assert.Equal(t, longest, sent.Query().Get("operation"))
		}
	})
}

// TestA202HasNoCredentials is P49: what a broker sends too early is not used.
func TestA202HasNoCredentials(t *testing.T) {
	t.Parallel()
	got, err := newClient(t, answering(t, 202, `{"operation":"op","credentials":{"password":"early"},"syslog_drain_url":"x","metadata":{"expires_at":"2030-01-02T03:04:05Z"}}`).URL).
		Bind(t.Context(), bindRequest())
	require.NoError(t, err)
	assert.Equal(t, &osb.BindResponse{Async: true, Operation: "op"}, got)
}

// TestRenewalIsNotAfterTheEnd is P95.
func TestRenewalIsNotAfterTheEnd(t *testing.T) {
	t.Parallel()
	got, err := newClient(t, answering(t, 201, `{"metadata":{"expires_at":"2030-01-02T03:04:05Z","renew_before":"2030-01-03T00:00:00Z"}}`).URL).
		Bind(t.Context(), bindRequest())
	require.NoError(t, err)
	assert.Equal(t, got.Metadata.ExpiresAt, got.Metadata.RenewBefore)
}

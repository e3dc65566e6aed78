package osb_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

func TestObserverSeesEachCallOnce(t *testing.T) {
	t.Parallel()
	var got []osb.Observation
	observe := func(c *osb.Config) {
		c.NewRequestID = func() string { return "r-1" }
		c.Observer = func(_ context.Context, o osb.Observation) {
			o.Duration = 0
			got = append(got, o)
		}
	}
	_, err := newClient(t, answering(t, 201, `{}`).URL, observe).Provision(t.Context(), provisionRequest())
	require.NoError(t, err)
	_, err = newClient(t, answering(t, 409, `{}`).URL, observe).Bind(t.Context(), bindRequest())
	require.Equal(t, "r-1", osb.AsError(err).RequestID)
	_, err = newClient(t, "http://127.0.0.1:1", observe).GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.Error(t, err)
	assert.Equal(t, []osb.Observation{
		{Operation: osb.OpProvision, StatusCode: 201, RequestID: "r-1"},
		{Operation: osb.OpBind, StatusCode: 409, Kind: osb.KindConflict, RequestID: "r-1"},
		{Operation: osb.OpCatalog, Kind: osb.KindUnavailable, RequestID: "r-1"},
	}, got)
}

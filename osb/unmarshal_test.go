package osb_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

// TestNamesAreComparedWithCase is P10: a vendor's field that differs from the
// API's in case alone is an unknown field, whatever it holds.
func TestNamesAreComparedWithCase(t *testing.T) {
	t.Parallel()
	t.Run("in a binding", func(t *testing.T) {
		t.Parallel()
		got, err := newClient(t, answering(t, 201, `{"credentials":{"Password":"a","password":"b"},"Credentials":"see the portal","METADATA":[],
			"metadata":{"expires_at":"2030-01-02T03:04:05Z","Expires_At":"never"},"endpoints":[{"host":"h","Host":7,"ports":["1"]}]}`).URL).Bind(t.Context(), bindRequest())
		require.NoError(t, err)
		assert.Equal(t, osb.Credentials{"Password": "a", "password": "b"}, got.Credentials)
		assert.Equal(t, []osb.Endpoint{{Host: "h", Ports: []string{"1"}}}, got.Endpoints)
		assert.Equal(t, 2030, got.Metadata.ExpiresAt.Year())
	})
	t.Run("in a catalog", func(t *testing.T) {
		t.Parallel()
		got, err := fetch(t, `{"Services":[],"services":[{"id":"s","ID":"legacy-7","name":"db","Name":"DB","Plans":{"count":1},
			"plans":[{"id":"p","Id":4,"name":"small","FREE":false}]}]}`)
		require.NoError(t, err)
		assert.Empty(t, got.Problems)
		assert.Equal(t, &osb.Catalog{Services: []osb.Service{{ID: "s", Name: "db", Plans: []osb.Plan{{ID: "p", Name: "small"}}}}}, got.Catalog)
	})
	t.Run("in a poll, where nothing else is said", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, answering(t, 200, `{"State":"succeeded"}`).URL).LastOperation(t.Context(), &osb.LastOperationRequest{InstanceID: "i"})
		assert.True(t, osb.IsKind(err, osb.KindMalformed), "%v", err)
	})
	t.Run("but not in an error, which is for people", func(t *testing.T) {
		t.Parallel()
		err := osb.Classify(osb.Answer{Operation: osb.OpCatalog, StatusCode: 412, Body: []byte(`{"Description":"speak 2.13"}`)})
		assert.Equal(t, "speak 2.13", err.Description)
	})
}

func TestUnmarshalSaysWhere(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[]`:                              "",
		`{"credentials":7}`:               "credentials",
		`{"endpoints":7}`:                 "endpoints",
		`{"endpoints":[{"host":[]}]}`:     "endpoints.host",
		`{"metadata":{"renew_before":7}}`: "metadata.renew_before",
		`{"volume_mounts":[{"device":{"volume_id":1}}]}`: "volume_mounts.device.volume_id",
	} {
		var typed *json.UnmarshalTypeError
		require.ErrorAs(t, osb.Unmarshal([]byte(body), &osb.BindResponse{}), &typed, body)
		assert.Equal(t, want, typed.Field, body)
	}
	var syntax *json.SyntaxError
	require.ErrorAs(t, osb.Unmarshal([]byte(`{"credentials":`), &osb.BindResponse{}), &syntax)
	require.Error(t, osb.Unmarshal([]byte(`{}`), osb.BindResponse{}))
	require.Error(t, osb.Unmarshal([]byte(`{}`), (*osb.BindResponse)(nil)))
}

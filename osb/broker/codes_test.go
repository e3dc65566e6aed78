package broker_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// TestCodes holds the code tables B1 to B22: what the kit answers by itself,
// before or instead of the broker.
func TestCodes(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("user:wrong"))}
	without := func(field string) string {
		var m map[string]any
		_ = json.Unmarshal([]byte(provisionBody), &m)
		delete(m, field)
		raw, _ := json.Marshal(m)
		return string(raw)
	}
	for name, tc := range map[string]struct {
		request request
		status  int
		word    string
	}{
		"wrong password": {request{"PUT", instancePath, provisionBody, wrong}, 401, ""},
		"no credentials": {request{"PUT", instancePath, provisionBody, map[string]string{"Authorization": ""}}, 401, ""},
		"B1: authentication comes before version, path and body": {request{"PUT", "/nowhere", "{", map[string]string{
			"Authorization": wrong["Authorization"], "X-Broker-API-Version": ""}}, 401, ""},
		"B2: no version":                                {request{"GET", "/v2/catalog", "", map[string]string{"X-Broker-API-Version": ""}}, 412, ""},
		"B2: version comes before path and body":        {request{"PUT", "/nowhere", "{", map[string]string{"X-Broker-API-Version": "3.0"}}, 412, ""},
		"B2: no number":                                 {request{"GET", "/v2/catalog", "", map[string]string{"X-Broker-API-Version": "2.x"}}, 412, ""},
		"B2: no minor":                                  {request{"GET", "/v2/catalog", "", map[string]string{"X-Broker-API-Version": "2."}}, 412, ""},
		"B2: any minor":                                 {request{"GET", "/v2/catalog", "", map[string]string{"X-Broker-API-Version": "2.99"}}, 200, ""},
		"an identity that is none":                      {request{"GET", "/v2/catalog", "", map[string]string{"X-Broker-API-Originating-Identity": "kubernetes %%%"}}, 400, ""},
		"an identity that is no object":                 {request{"GET", "/v2/catalog", "", map[string]string{"X-Broker-API-Originating-Identity": "kubernetes " + base64.StdEncoding.EncodeToString([]byte("[]"))}}, 400, ""},
		"an unknown path":                               {request{"GET", "/v2/nowhere", "", nil}, 404, ""},
		"a path with an empty id":                       {request{"PUT", "/v2/service_instances/", provisionBody, nil}, 404, ""},
		"a path that is not clean is not redirected":    {request{"PUT", "/v2//service_instances/i-1", provisionBody, nil}, 404, ""},
		"an unknown method":                             {request{"POST", instancePath, provisionBody, nil}, 405, ""},
		"catalog":                                       {request{"GET", "/v2/catalog", "", nil}, 200, ""},
		"provision":                                     {request{"PUT", instancePath, provisionBody, nil}, 201, ""},
		"B3: unknown fields are ignored":                {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"x":{},"parameters":null,"context":null,`, 1), nil}, 201, ""},
		"B3: names are compared with case":              {request{"PUT", instancePath, strings.Replace(provisionBody, `"space_guid"`, `"Space_GUID"`, 1), nil}, 400, ""},
		"B3: a name in another case is unknown":         {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"Parameters":7,"PLAN_ID":[],`, 1), nil}, 201, ""},
		"B3: malformed JSON":                            {request{"PUT", instancePath, provisionBody[:20], nil}, 400, ""},
		"B3: garbage behind the JSON":                   {request{"PUT", instancePath, provisionBody + "x", nil}, 400, ""},
		"B3: a body that is not UTF-8":                  {request{"PUT", instancePath, strings.Replace(provisionBody, `"o"`, "\"\xff\"", 1), nil}, 400, ""},
		"B3: no body":                                   {request{"PUT", instancePath, "", nil}, 400, ""},
		"B3: a list":                                    {request{"PUT", instancePath, "[]", nil}, 400, ""},
		"B3: a wrong type":                              {request{"PUT", instancePath, strings.Replace(provisionBody, `"o"`, "7", 1), nil}, 400, ""},
		"B3: parameters that are no object":             {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"parameters":[1],`, 1), nil}, 400, ""},
		"B3: context that is no object":                 {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"context":"x",`, 1), nil}, 400, ""},
		"a body over the bound":                         {request{"PUT", instancePath, `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, nil}, 413, ""},
		"B13: no service_id":                            {request{"PUT", instancePath, without("service_id"), nil}, 400, ""},
		"B13: no plan_id":                               {request{"PUT", instancePath, without("plan_id"), nil}, 400, ""},
		"B13: no organization_guid":                     {request{"PUT", instancePath, without("organization_guid"), nil}, 400, ""},
		"B13: no space_guid":                            {request{"PUT", instancePath, without("space_guid"), nil}, 400, ""},
		"B13: an empty space_guid":                      {request{"PUT", instancePath, strings.Replace(provisionBody, `"s"`, `""`, 1), nil}, 400, ""},
		"B13: an unknown service":                       {request{"PUT", instancePath, strings.Replace(provisionBody, `"db"`, `"x"`, 1), nil}, 400, ""},
		"B13: an unknown plan":                          {request{"PUT", instancePath, strings.Replace(provisionBody, `"small"`, `"x"`, 1), nil}, 400, ""},
		"B13: a plan of another service":                {request{"PUT", instancePath, strings.Replace(provisionBody, `"small"`, `"fast"`, 1), nil}, 400, ""},
		"B14: the catalog's maintenance version":        {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"maintenance_info":{"version":"1.0.0"},`, 1), nil}, 201, ""},
		"B14: another maintenance version":              {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"maintenance_info":{"version":"1.0.1"},`, 1), nil}, 422, "MaintenanceInfoConflict"},
		"B14: maintenance without a version":            {request{"PUT", instancePath, strings.Replace(provisionBody, "{", `{"maintenance_info":{},`, 1), nil}, 201, ""},
		"B14: a version for a plan that has none":       {request{"PUT", instancePath, `{"service_id":"queue","plan_id":"fast","organization_guid":"o","space_guid":"s","maintenance_info":{"version":"1.0.0"}}`, nil}, 422, "MaintenanceInfoConflict"},
		"B16: update":                                   {request{"PATCH", instancePath, `{"service_id":"db"}`, nil}, 200, ""},
		"B16: update without service_id":                {request{"PATCH", instancePath, `{"plan_id":"small"}`, nil}, 400, ""},
		"B16: update to an unknown plan":                {request{"PATCH", instancePath, `{"service_id":"db","plan_id":"fast"}`, nil}, 400, ""},
		"B16: update to another maintenance version":    {request{"PATCH", instancePath, `{"service_id":"db","plan_id":"small","maintenance_info":{"version":"2.0.0"}}`, nil}, 422, "MaintenanceInfoConflict"},
		"B16: its plan is found in the previous values": {request{"PATCH", instancePath, `{"service_id":"db","maintenance_info":{"version":"2.0.0"},"previous_values":{"plan_id":"small"}}`, nil}, 422, "MaintenanceInfoConflict"},
		"B16: a previous plan that is gone is no fault": {request{"PATCH", instancePath, `{"service_id":"db","previous_values":{"plan_id":"old"}}`, nil}, 200, ""},
		"B17: bind":                                     {request{"PUT", bindingPath, bindBody, nil}, 201, ""},
		"B17: bind without plan_id":                     {request{"PUT", bindingPath, `{"service_id":"db"}`, nil}, 400, ""},
		"B17: bind to an unknown plan":                  {request{"PUT", bindingPath, `{"service_id":"db","plan_id":"fast"}`, nil}, 400, ""},
		"B17: bind to a plan that cannot be bound":      {request{"PUT", bindingPath, `{"service_id":"db","plan_id":"sealed"}`, nil}, 400, ""},
		"B18: rotation names the predecessor alone":     {request{"PUT", bindingPath, `{"predecessor_binding_id":"b-0"}`, nil}, 201, ""},
		"B18: rotation may name its plan":               {request{"PUT", bindingPath, `{"service_id":"db","plan_id":"small","predecessor_binding_id":"b-0"}`, nil}, 201, ""},
		"B18: rotation may name its service alone":      {request{"PUT", bindingPath, `{"service_id":"db","predecessor_binding_id":"b-0"}`, nil}, 201, ""},
		"B18: rotation of a plan that cannot":           {request{"PUT", bindingPath, `{"service_id":"queue","plan_id":"fast","predecessor_binding_id":"b-0"}`, nil}, 400, ""},
		"B19: deprovision":                              {request{"DELETE", instancePath + ids, "", nil}, 200, ""},
		"B19: deprovision without plan_id":              {request{"DELETE", instancePath + "?service_id=db", "", nil}, 400, ""},
		"B19: deprovision without service_id":           {request{"DELETE", instancePath + "?plan_id=small", "", nil}, 400, ""},
		"B19: what was made from a plan that is gone":   {request{"DELETE", instancePath + "?service_id=db&plan_id=old", "", nil}, 200, ""},
		"B19: unbind":                                   {request{"DELETE", bindingPath + ids, "", nil}, 200, ""},
		"B19: unbind without plan_id":                   {request{"DELETE", bindingPath + "?service_id=db", "", nil}, 400, ""},
		"B21: poll of an instance":                      {request{"GET", instancePath + "/last_operation", "", nil}, 200, ""},
		"B21: poll of a binding":                        {request{"GET", bindingPath + "/last_operation", "", nil}, 200, ""},
		"B22: fetch of an instance":                     {request{"GET", instancePath, "", nil}, 200, ""},
		"B22: fetch of a binding":                       {request{"GET", bindingPath, "", nil}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := send(broker.NewHandler(&complete{}, options()), tc.request)
			assert.Equal(t, tc.status, w.Code, w.Body.String())
			body := bodyOf(t, w)
			if tc.word != "" {
				assert.Equal(t, tc.word, body["error"])
			}
			if tc.status >= 400 {
				assert.NotEmpty(t, body["description"])
			}
			assert.Equal(t, tc.status == 401, w.Header().Get("WWW-Authenticate") != "")
		})
	}
}

// TestAbsentMethods is what a broker answers that has only the five methods.
func TestAbsentMethods(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request request
		status  int
	}{
		"update is not supported":                    {request{"PATCH", instancePath, `{"service_id":"db"}`, nil}, 422},
		"a bad update is still bad":                  {request{"PATCH", instancePath, `{}`, nil}, 400},
		"there is nothing to poll":                   {request{"GET", instancePath + "/last_operation", "", nil}, 404},
		"there is nothing to poll for a binding":     {request{"GET", bindingPath + "/last_operation", "", nil}, 404},
		"instances cannot be fetched":                {request{"GET", instancePath, "", nil}, 404},
		"bindings cannot be fetched":                 {request{"GET", bindingPath, "", nil}, 404},
		"a rotation goes to the broker all the same": {request{"PUT", bindingPath, `{"predecessor_binding_id":"b-0"}`, nil}, 201},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := send(broker.NewHandler(&scripted{}, options()), tc.request)
			assert.Equal(t, tc.status, w.Code, w.Body.String())
			bodyOf(t, w)
		})
	}
	t.Run("a rotation where no plan can", func(t *testing.T) {
		t.Parallel()
		for _, cat := range []*osb.Catalog{nil, {}} {
			b := &scripted{catalog: func() (*osb.Catalog, error) { return cat, nil }}
			assert.Equal(t, 400, send(broker.NewHandler(b, options()), request{"PUT", bindingPath, `{"predecessor_binding_id":"b-0"}`, nil}).Code)
		}
	})
}

// TestWhatIsRefusedDoesNotReachTheBroker is the kit's part of B6: what it refuses
// with 4xx has changed nothing, because nobody was asked.
func TestWhatIsRefusedDoesNotReachTheBroker(t *testing.T) {
	t.Parallel()
	b := &complete{
		scripted: scripted{
			provision: func(context.Context, *osb.ProvisionRequest) (*osb.ProvisionResponse, error) {
				panic("asked to provision")
			},
			deprovision: func(*osb.DeprovisionRequest) (*osb.DeprovisionResponse, error) { panic("asked to deprovision") },
			bind:        func(*osb.BindRequest) (*osb.BindResponse, error) { panic("asked to bind") },
			unbind:      func(*osb.UnbindRequest) (*osb.UnbindResponse, error) { panic("asked to unbind") },
		},
		update: func(*osb.UpdateRequest) (*osb.UpdateResponse, error) { panic("asked to update") },
	}
	h := broker.NewHandler(b, options())
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		for _, path := range []string{instancePath, bindingPath} {
			for _, r := range []request{
				{method, path + ids, provisionBody, map[string]string{"Authorization": ""}},
				{method, path + ids, provisionBody, map[string]string{"X-Broker-API-Version": "1.0"}},
				{method, path + ids, provisionBody, map[string]string{"X-Broker-API-Originating-Identity": "x"}},
				{method, path, "{", nil},
				{method, path, `{"service_id":"db","plan_id":"fast"}`, nil},
				{method, path, `{"service_id":"db","plan_id":"small","parameters":[]}`, nil},
				{method, path + "/", provisionBody, nil},
			} {
				code := send(h, r).Code
				assert.True(t, code >= 400 && code < 500, "%d to %v", code, r)
			}
		}
	}
}

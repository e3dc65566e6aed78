//go:build integration

package v1beta1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const stays = " cannot be changed: the spec of a binding stays as it was created."

// The rules on updates: what a spec may become. No webhook fills anything in here.
func TestUpdates(t *testing.T) {
	t.Parallel()
	for kind, rows := range map[string]map[string]struct{ from, to, refused string }{
		"ClusterServiceBroker": {
			"a broker may move":                       {from: "url: http://a", to: "url: http://b"},
			"a counter goes up":                       {from: "url: http://a, relistRequests: 1", to: "url: http://a, relistRequests: 2"},
			"a counter that is left out is no change": {from: "url: http://a, relistRequests: 1", to: "url: http://a"},
			"a counter of 0 is left out":              {from: "url: http://a, relistRequests: 1", to: "url: http://a, relistRequests: 0"},
			"a counter does not go down": {
				from: "url: http://a, relistRequests: 2", to: "url: http://a, relistRequests: 1",
				refused: "spec.relistRequests: Invalid value: 1: spec.relistRequests cannot decrease",
			},
		},
		"ClusterServiceClass": {
			"the broker renames": {from: class("c1", "pg"), to: strings.Replace(class("c1", "pg"), "db", "sql", 1)},
			"the id stays":       {from: class("c1", "pg"), to: class("c2", "pg"), refused: "spec.externalID cannot be changed"},
			"the broker stays":   {from: class("c1", "pg"), to: class("c1", "other"), refused: "spec.clusterServiceBrokerName cannot be changed"},
		},
		"ServicePlan": {
			"prices change":    {from: plan("p1", "pg", "c1"), to: plan("p1", "pg", "c1") + ", free: true"},
			"the id stays":     {from: plan("p1", "pg", "c1"), to: plan("p2", "pg", "c1"), refused: "spec.externalID cannot be changed"},
			"the broker stays": {from: plan("p1", "pg", "c1"), to: plan("p1", "other", "c1"), refused: "spec.serviceBrokerName cannot be changed"},
			"the class stays":  {from: plan("p1", "pg", "c1"), to: plan("p1", "pg", "c2"), refused: "spec.serviceClassRef cannot be changed"},
		},
		"ServiceInstance": {
			"the plan may change":            {from: instance("db", "small"), to: instance("db", "large")},
			"the plan may be left out":       {from: instance("db", "small"), to: "clusterServiceClassExternalName: db"},
			"the class stays":                {from: instance("db", "small"), to: instance("queue", "small"), refused: "spec.clusterServiceClassExternalName cannot be changed"},
			"the class is not left out":      {from: instance("db", "small"), to: "parameters: {a: b}", refused: "spec.clusterServiceClassExternalName cannot be changed"},
			"the class has one name":         {from: instance("db", "small"), to: instance("db", "small") + ", clusterServiceClassName: c1", refused: "spec.clusterServiceClassName cannot be changed"},
			"the plan's style stays":         {from: instance("db", "small"), to: "clusterServiceClassExternalName: db, clusterServicePlanName: p1", refused: "spec.clusterServicePlanName goes with spec.clusterServiceClassName"},
			"an empty id is filled in":       {from: instance("db", "small") + `, externalID: ""`, to: instance("db", "small") + ", externalID: i1, externalIDOrigin: Generated"},
			"an absent id is filled in":      {from: instance("db", "small"), to: instance("db", "small") + ", externalID: i1, externalIDOrigin: Generated"},
			"an id may be left out":          {from: instance("db", "small") + ", externalID: i1, externalIDOrigin: Given", to: instance("db", "small")},
			"an id of nothing is left out":   {from: instance("db", "small") + ", externalID: i1, externalIDOrigin: Given", to: instance("db", "small") + `, externalID: "", externalIDOrigin: ""`},
			"an id stays":                    {from: instance("db", "small") + ", externalID: i1", to: instance("db", "small") + ", externalID: i2", refused: "spec.externalID cannot be changed"},
			"an origin stays":                {from: instance("db", "small") + ", externalIDOrigin: Given", to: instance("db", "small") + ", externalIDOrigin: Generated", refused: "spec.externalIDOrigin is not yours to set"},
			"parameters may change":          {from: instance("db", "small") + ", parameters: {a: b}", to: instance("db", "small") + ", parameters: {a: {c: d}}"},
			"references may be dropped":      {from: instance("db", "small") + ", clusterServiceClassRef: {name: c1}", to: instance("db", "small")},
			"the user changes":               {from: instance("db", "small") + ", userInfo: {username: alice}", to: instance("db", "small") + ", userInfo: {username: bob}"},
			"a counter does not go down":     {from: instance("db", "small") + ", updateRequests: 2", to: instance("db", "small") + ", updateRequests: 1", refused: "spec.updateRequests cannot decrease"},
			"the deletion policy may change": {from: instance("db", "small") + ", deletionPolicy: Delete", to: instance("db", "small") + ", deletionPolicy: Retain"},
		},
		"ServiceBinding": {
			"the same is no change":              {from: binding + full, to: binding + full},
			"the instance stays":                 {from: binding, to: "instanceRef: {name: other}", refused: "spec.instanceRef cannot be changed"},
			"the instance is not left out":       {from: binding, to: "secretName: a", refused: "spec.instanceRef cannot be changed"},
			"a parameter stays":                  {from: binding + ", parameters: {role: reader}", to: binding + ", parameters: {role: writer}", refused: "spec.parameters" + stays},
			"a deep parameter stays":             {from: binding + ", parameters: {a: {b: [1]}}", to: binding + ", parameters: {a: {b: [2]}}", refused: "spec.parameters" + stays},
			"no parameter is added":              {from: binding + ", parameters: {role: reader}", to: binding + ", parameters: {role: reader, x: y}", refused: "spec.parameters" + stays},
			"parameters do not come":             {from: binding, to: binding + ", parameters: {role: reader}", refused: "spec.parameters" + stays},
			"parameters do not go":               {from: binding + ", parameters: {role: reader}", to: binding, refused: "spec.parameters" + stays},
			"sources of parameters stay":         {from: binding, to: binding + ", parametersFrom: [{secretKeyRef: {name: a, key: b}}]", refused: "spec.parametersFrom" + stays},
			"no source is an empty list":         {from: binding, to: binding + ", parametersFrom: [], secretTransforms: []"},
			"the Secret's name stays":            {from: binding, to: binding + ", secretName: a", refused: "spec.secretName" + stays},
			"an empty name is none":              {from: binding + `, secretName: "", type: "", provider: "", secretMetadata: ""`, to: binding},
			"transforms stay":                    {from: binding + ", secretTransforms: [{removeKey: {key: a}}]", to: binding + ", secretTransforms: [{removeKey: {key: b}}]", refused: "spec.secretTransforms" + stays},
			"a null out of a transform is none":  {from: binding + ", secretTransforms: [{addKey: {key: a, stringValue: b, value: null, jsonPathExpression: null}}]", to: binding + ", secretTransforms: [{addKey: {key: a, stringValue: b}}]"},
			"a transform's value stays":          {from: binding + ", secretTransforms: [{addKey: {key: a, value: aGVsbG8=}}]", to: binding + ", secretTransforms: [{addKey: {key: a, value: aGVsbG9v}}]", refused: "spec.secretTransforms" + stays},
			"a transform's kind stays":           {from: binding + ", secretTransforms: [{addKey: {key: a, stringValue: b}}]", to: binding + ", secretTransforms: [{addKey: {key: a, jsonPathExpression: b}}]", refused: "spec.secretTransforms" + stays},
			"the order of transforms stays":      {from: binding + ", secretTransforms: [{removeKey: {key: a}}, {renameKey: {from: b, to: a}}]", to: binding + ", secretTransforms: [{renameKey: {from: b, to: a}}, {removeKey: {key: a}}]", refused: "spec.secretTransforms" + stays},
			"null parameters are none":           {from: binding + ", parameters: null", to: binding},
			"a null in a transform is no change": {from: binding + ", secretTransforms: [{addKey: {key: a, stringValue: b}}]", to: binding + ", secretTransforms: [{addKey: {key: a, stringValue: b, value: null, jsonPathExpression: null}}]"},
			"the type stays":                     {from: binding + ", type: a", to: binding + ", type: b", refused: "spec.type" + stays},
			"the provider stays":                 {from: binding + ", provider: a", to: binding, refused: "spec.provider" + stays},
			"the metadata stay":                  {from: binding, to: binding + ", secretMetadata: Full", refused: "spec.secretMetadata" + stays},
			"the template stays":                 {from: binding + ", secretTemplate: {labels: {a: b}}", to: binding + ", secretTemplate: {labels: {a: c}}", refused: "spec.secretTemplate" + stays},
			"rotation comes":                     {from: binding, to: binding + ", rotation: {overlap: 1h}"},
			"rotation changes":                   {from: binding + ", rotation: {overlap: 1h}", to: binding + ", rotation: {overlap: 2h, interval: 24h}"},
			"rotation goes":                      {from: binding + ", rotation: {overlap: 1h}", to: binding},
			"rotation stays sensible":            {from: binding + ", rotation: {overlap: 1h}", to: binding + ", rotation: {overlap: 1m}", refused: "spec.rotation.overlap must be"},
			"a duration in other words is none":  {from: binding + ", rotation: {overlap: 1h, window: {start: '02:00', duration: 90m}}", to: binding + ", rotation: {overlap: 60m0s, window: {start: '02:00', duration: 1h30m0s}}"},
			"an id is filled in":                 {from: binding, to: binding + ", externalID: b1, externalIDOrigin: Generated, userInfo: {username: alice}"},
			"an id may be left out":              {from: binding + ", externalID: b1, externalIDOrigin: Given, userInfo: {username: alice}", to: binding},
			"an id stays":                        {from: binding + ", externalID: b1", to: binding + ", externalID: b2", refused: "spec.externalID cannot be changed"},
			"an origin stays":                    {from: binding + ", externalIDOrigin: Generated", to: binding + ", externalIDOrigin: Given", refused: "spec.externalIDOrigin is not yours to set"},
		},
	} {
		n := 0
		for name, tc := range rows {
			n++
			object := fmt.Sprintf("update-%d", n)
			t.Run(kind+": "+name, func(t *testing.T) {
				t.Parallel()
				obj := parse(t, kind, object, "spec: {"+tc.from+"}")
				require.NoError(t, shared.Create(t.Context(), obj))
				to := parse(t, kind, object, "spec: {"+tc.to+"}")
				to.SetResourceVersion(obj.GetResourceVersion())
				err := shared.Update(t.Context(), to)
				if tc.refused == "" {
					require.NoError(t, err)
					return
				}
				require.Error(t, err)
				assert.Contains(t, err.Error(), tc.refused)
			})
		}
	}
}

func class(id, broker string) string {
	return fmt.Sprintf("externalName: db, externalID: %s, clusterServiceBrokerName: %s", id, broker)
}

func plan(id, broker, class string) string {
	return fmt.Sprintf("externalName: small, externalID: %s, serviceBrokerName: %s, serviceClassRef: {name: %s}", id, broker, class)
}

func instance(class, plan string) string {
	return fmt.Sprintf("clusterServiceClassExternalName: %s, clusterServicePlanExternalName: %s", class, plan)
}

const binding = "instanceRef: {name: orders}"

const full = `, parameters: {role: reader, deep: [{a: null}]}, parametersFrom: [{secretKeyRef: {name: a, key: b}}], secretName: s,
  secretTransforms: [{addKey: {key: a, value: aGVsbG8=}}, {removeKey: {key: b}}], externalID: b1, externalIDOrigin: Given,
  userInfo: {username: alice, groups: [a], extra: {a: [b]}}, type: a, provider: b, secretMetadata: Full,
  secretTemplate: {labels: {a: b}, annotations: {c: d}, stringData: {e: f}},
  rotation: {interval: 720h, overlap: 1h, maxOverlap: 48h, window: {start: "02:30", duration: 2h}}`

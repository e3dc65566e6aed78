package v1beta1_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fieldsOfV03 are the fields of v0.3, of each kind, by JSON path: what is in a list
// has [] before it, what is in a map {}; free-form JSON stands as one.
var fieldsOfV03 = map[string][]string{
	"ClusterServiceBroker": slices.Concat(brokerSpec, brokerStatus,
		below("spec.authInfo.basic.secretRef", "namespace", "name"), below("spec.authInfo.bearer.secretRef", "namespace", "name")),
	"ServiceBroker": slices.Concat(brokerSpec, brokerStatus,
		below("spec.authInfo.basic.secretRef", "name"), below("spec.authInfo.bearer.secretRef", "name")),
	"ClusterServiceClass": slices.Concat(classSpec, below("", "spec.clusterServiceBrokerName", "status.removedFromBrokerCatalog")),
	"ServiceClass":        slices.Concat(classSpec, below("", "spec.serviceBrokerName", "status.removedFromBrokerCatalog")),
	"ClusterServicePlan": slices.Concat(planSpec,
		below("", "spec.clusterServiceBrokerName", "spec.clusterServiceClassRef.name", "status.removedFromBrokerCatalog")),
	"ServicePlan": slices.Concat(planSpec,
		below("", "spec.serviceBrokerName", "spec.serviceClassRef.name", "status.removedFromBrokerCatalog")),
	"ServiceInstance": slices.Concat(
		below("spec",
			"clusterServiceClassExternalName", "clusterServicePlanExternalName", "serviceClassExternalName", "servicePlanExternalName",
			"clusterServiceClassExternalID", "clusterServicePlanExternalID", "serviceClassExternalID", "servicePlanExternalID",
			"clusterServiceClassName", "clusterServicePlanName", "serviceClassName", "servicePlanName",
			"clusterServiceClassRef.name", "clusterServicePlanRef.name", "serviceClassRef.name", "servicePlanRef.name",
			"externalID", "updateRequests"),
		parameters, below("spec.userInfo", user...), conditions,
		below("status", "asyncOpInProgress", "orphanMitigationInProgress", "lastOperation", "dashboardURL", "currentOperation",
			"reconciledGeneration", "observedGeneration", "operationStartTime", "provisionStatus", "deprovisionStatus",
			"defaultProvisionParameters", "lastConditionState", "userSpecifiedClassName", "userSpecifiedPlanName"),
		instanceProperties("status.inProgressProperties"), instanceProperties("status.externalProperties")),
	"ServiceBinding": slices.Concat(
		below("spec", "instanceRef.name", "secretName", "externalID"), parameters, below("spec.userInfo", user...),
		below("spec.secretTransforms[]", "renameKey.from", "renameKey.to", "addKey.key", "addKey.value", "addKey.stringValue",
			"addKey.jsonPathExpression", "addKeysFrom.secretRef.namespace", "addKeysFrom.secretRef.name", "removeKey.key"),
		conditions,
		below("status", "asyncOpInProgress", "lastOperation", "currentOperation", "reconciledGeneration", "operationStartTime",
			"orphanMitigationInProgress", "unbindStatus", "lastConditionState"),
		bindingProperties("status.inProgressProperties"), bindingProperties("status.externalProperties")),
}

var (
	brokerSpec = below("spec", "url", "insecureSkipTLSVerify", "caBundle", "relistBehavior", "relistDuration", "relistRequests",
		"catalogRestrictions.serviceClass[]", "catalogRestrictions.servicePlan[]")
	brokerStatus = slices.Concat(conditions, below("status", "reconciledGeneration", "operationStartTime",
		"lastCatalogRetrievalTime", "lastConditionState"))
	classSpec = below("spec", "externalName", "externalID", "description", "bindable", "bindingRetrievable", "planUpdatable",
		"externalMetadata", "tags[]", "requires[]", "defaultProvisionParameters")
	planSpec = below("spec", "externalName", "externalID", "description", "bindable", "free", "externalMetadata",
		"instanceCreateParameterSchema", "instanceUpdateParameterSchema", "serviceBindingCreateParameterSchema",
		"defaultProvisionParameters")
	parameters = below("spec", "parameters", "parametersFrom[].secretKeyRef.name", "parametersFrom[].secretKeyRef.key")
	conditions = below("status.conditions[]", "type", "status", "lastTransitionTime", "reason", "message")
	user       = []string{"username", "uid", "groups[]", "extra{}[]"}
)

func instanceProperties(path string) []string {
	return slices.Concat(bindingProperties(path), below(path, "clusterServicePlanExternalName", "clusterServicePlanExternalID",
		"servicePlanExternalName", "servicePlanExternalID"))
}

func bindingProperties(path string) []string {
	return slices.Concat(below(path, "parameters", "parameterChecksum"), below(path+".userInfo", user...))
}

// below puts a path before each of some fields.
func below(path string, fields ...string) []string {
	out := make([]string, len(fields))
	for i, field := range fields {
		out[i] = strings.TrimPrefix(path+"."+field, ".")
	}
	return out
}

// at returns the schema at a path.
func (s schema) at(path string) (schema, bool) {
	var found *schema
	s.walk("", func(p string, s schema) {
		if p == path {
			found = &s
		}
	})
	if found == nil {
		return schema{}, false
	}
	return *found, true
}

// freeForm are the fields that hold any JSON, in every kind that has them.
var freeForm = []string{
	"parameters", "externalMetadata", "defaultProvisionParameters",
	"instanceCreateParameterSchema", "instanceUpdateParameterSchema", "serviceBindingCreateParameterSchema",
}

func TestTheSchemasHaveEveryFieldOfV03(t *testing.T) {
	t.Parallel()
	all := crds(t)
	for kind, paths := range fieldsOfV03 {
		for _, path := range paths {
			s, ok := all[kind].schema().at(path)
			if !assert.True(t, ok, "%s has lost %s", kind, path) {
				continue
			}
			assert.Equal(t, isFreeForm(path), s.PreserveUnknown, "%s %s: free-form JSON, and nothing else, is kept as it is", kind, path)
		}
	}
	require.Len(t, fieldsOfV03, 8)
}

func isFreeForm(path string) bool {
	return slices.Contains(freeForm, path[strings.LastIndexByte(path, '.')+1:])
}

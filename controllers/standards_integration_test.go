//go:build integration

package controllers_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/svc-cat/catalog/api/v1beta1"
	testbroker "github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb"
)

// kstatus is what Flux, kpt and others make of the object as it is now.
func (l *lived) kstatus(i *v1beta1.ServiceInstance) status.Status {
	l.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("servicecatalog.k8s.io/v1beta1")
	u.SetKind("ServiceInstance")
	require.NoError(l, l.Get(l.Context(), keyOf(i), u))
	got, err := status.Compute(u)
	require.NoError(l, err)
	return got.Status
}

func TestKstatusUnderstandsInstances(t *testing.T) {
	l := newLived(t, nil)
	promise := l.promise(testbroker.Async{Polls: 1}, osb.OpProvision)
	i := l.instance("orders", "small")
	l.create(i)
	l.becomes(i, metav1.ConditionFalse, v1beta1.ReasonProvisioning)
	assert.Equal(t, status.InProgressStatus, l.kstatus(i))
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.Equal(t, status.CurrentStatus, l.kstatus(i))
	l.b.Remove(promise)

	never := l.promise(testbroker.Async{Result: testbroker.ResultNever}, osb.OpUpdate)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":2}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdating)
	assert.Equal(t, status.InProgressStatus, l.kstatus(i), "although it is ready")
	l.b.Remove(never)
	require.True(t, l.b.Forget(i.Status.ExternalID, ""))
	l.vanish(i)

	l.rule(testbroker.Do{Status: 400}, 0, osb.OpProvision)
	refused := l.instance("refused", "small")
	l.create(refused)
	l.becomes(refused, metav1.ConditionFalse, v1beta1.ReasonBrokerReturnedFailure)
	assert.Equal(t, status.FailedStatus, l.kstatus(refused))
	unknown := l.instance("unknown", "huge")
	l.create(unknown)
	l.becomes(unknown, metav1.ConditionFalse, v1beta1.ReasonReferencesNonexistentServicePlan)
	assert.Equal(t, status.FailedStatus, l.kstatus(unknown))
	unknown.Annotations = nil
	l.rule(testbroker.Do{Status: 500}, 0, osb.OpDeprovision)
	l.vanish(refused, unknown)
}

func TestKstatusTellsARefusedUpdateFromAWorkingInstance(t *testing.T) {
	l := newLived(t, nil)
	i := l.standing(`{"size":1}`)
	l.rule(testbroker.Do{Status: 422}, 0, osb.OpUpdate)
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":2}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdateCallFailed)
	assert.Equal(t, status.FailedStatus, l.kstatus(i), "the spec is not what the broker has")
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"size":1}`) })
	l.settled(i)
	assert.Equal(t, status.CurrentStatus, l.kstatus(i))
	l.edit(i, func() { i.Spec.DeletionPolicy = v1beta1.DeletionPolicyDelete })
	l.settled(i)
	assert.Equal(t, status.CurrentStatus, l.kstatus(i), "also after an edit that is no matter of the broker's")
	down := l.rule(testbroker.Do{Status: 500}, 0, osb.OpDeprovision)
	require.NoError(t, l.Delete(t.Context(), i))
	l.becomes(i, metav1.ConditionUnknown, v1beta1.ReasonDeprovisionCallFailed)
	assert.Equal(t, status.TerminatingStatus, l.kstatus(i))
	l.b.Remove(down)
	l.eventually("it goes", func() bool { return l.refresh(i) })
}

func TestKubectlWaits(t *testing.T) {
	l := newLived(t, nil)
	l.promise(testbroker.Async{Polls: 1}, osb.OpProvision)
	i := l.instance("orders", "small")
	l.create(i)
	l.kubectl("wait", "--for=condition=Ready", "serviceinstance/orders", "--timeout=30s")
	assert.False(t, l.refresh(i))
	assert.Equal(t, v1beta1.ProvisionStatusProvisioned, i.Status.ProvisionStatus)
	l.kubectl("delete", "serviceinstance/orders", "--timeout=30s")
	assert.True(t, l.refresh(i))
	l.blameless()
}

// kubectl runs kubectl in the test's namespace.
func (l *lived) kubectl(args ...string) {
	l.Helper()
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["c"] = &clientcmdapi.Cluster{Server: l.cfg.Host, CertificateAuthorityData: l.cfg.CAData}
	cfg.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: l.cfg.CertData, ClientKeyData: l.cfg.KeyData}
	cfg.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u", Namespace: l.namespace}
	cfg.CurrentContext = "x"
	file := filepath.Join(l.TempDir(), "kubeconfig")
	require.NoError(l, clientcmd.WriteToFile(*cfg, file))
	args = append([]string{"--kubeconfig", file, "--cache-dir", l.TempDir()}, args...)
	out, err := exec.CommandContext(l.Context(), filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), args...).CombinedOutput() //nolint:gosec // the folder is the one that the API server was started from
	require.NoError(l, err, string(out))
}

func TestBrokersAreToldWhoAsksAndWhatFor(t *testing.T) {
	l := newLived(t, func(s *osb.Service) { s.AllowContextUpdates = true })
	i := l.instance("orders", "small")
	i.Spec.UserInfo = &v1beta1.UserInfo{Username: "alice", UID: "7", Groups: []string{"dev"}, Extra: map[string]v1beta1.ExtraValue{"scope": {"a"}}}
	i.Annotations = map[string]string{"team": "payments", "kubectl.kubernetes.io/last-applied-configuration": "{}", v1beta1.AnnotationReconcile: "1"}
	l.create(i)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	put := l.sent(osb.OpProvision)[0]
	assert.Equal(t, "kubernetes", put.Platform)
	assert.JSONEq(t, `{"username":"alice","uid":"7","groups":["dev"],"extra":{"scope":["a"]}}`, string(put.Identity))
	body := l.body(put)
	assert.Equal(t, "cluster-1", body["organization_guid"])
	assert.NotEmpty(t, body["space_guid"])
	assert.Equal(t, map[string]any{
		"platform": "kubernetes", "namespace": l.namespace, "clusterid": "cluster-1", "instance_name": "orders",
		"instance_annotations": map[string]any{"team": "payments"},
	}, body["context"])

	l.edit(i, func() { i.Annotations["team"] = "orders" })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	patch := l.body(l.sent(osb.OpUpdate)[0])
	assert.Equal(t, map[string]any{"team": "orders"}, patch["context"].(map[string]any)["instance_annotations"])
	assert.NotContains(t, patch, "parameters")
	assert.NotContains(t, patch, "plan_id")
	l.edit(i, func() { i.Annotations[v1beta1.AnnotationReconcile] = "2" })
	l.eventually("it was looked at", func() bool { return !l.refresh(i) && i.Status.LastHandledReconcile == "2" })
	assert.Len(t, l.sent(osb.OpUpdate), 1, "what is not told is no update")
	l.gone(i)
}

func TestDefaultsAreAppliedOnce(t *testing.T) {
	l := newLived(t, nil)
	class, plan := &v1beta1.ClusterServiceClassList{}, &v1beta1.ClusterServicePlanList{}
	require.NoError(t, l.List(t.Context(), class, fieldsOf(l.broker.Name)))
	require.NoError(t, l.List(t.Context(), plan, fieldsOf(l.broker.Name)))
	c := &class.Items[0]
	l.edit(c, func() { c.Spec.DefaultProvisionParameters = parameters(`{"region":"eu","backup":{"days":7}}`) })
	for n := range plan.Items {
		p := &plan.Items[n]
		l.edit(p, func() { p.Spec.DefaultProvisionParameters = parameters(`{"backup":{"hour":3}}`) })
	}
	i := l.instance("orders", "small")
	i.Spec.Parameters = parameters(`{"backup":{"days":30}}`)
	l.eventually("the cache has the defaults", func() bool {
		other := l.instance("probe", "small")
		l.create(other)
		l.becomes(other, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
		got := string(l.at(other).Parameters)
		l.vanish(other)
		return got == `{"backup":{"days":7,"hour":3},"region":"eu"}`
	})
	l.create(i)
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonProvisionedSuccessfully)
	assert.JSONEq(t, `{"region":"eu","backup":{"days":30,"hour":3}}`, string(l.at(i).Parameters))
	assert.JSONEq(t, `{"region":"eu","backup":{"days":7,"hour":3}}`, string(i.Status.DefaultProvisionParameters.Raw))
	l.edit(c, func() { c.Spec.DefaultProvisionParameters = parameters(`{"region":"us"}`) })
	l.edit(i, func() { i.Spec.Parameters = parameters(`{"backup":{"days":60}}`) })
	l.becomes(i, metav1.ConditionTrue, v1beta1.ReasonUpdatedSuccessfully)
	var sent map[string]any
	require.NoError(t, json.Unmarshal(l.sent(osb.OpUpdate)[0].Body, &sent))
	assert.Equal(t, map[string]any{"backup": map[string]any{"days": 60.0, "hour": 3.0}}, sent["parameters"], "the default that nobody touched is not sent again")
	l.gone(i)
}

package thread

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/e2e/stage"
)

const adminToken = "only-for-this-test"

// checkTestBroker installs the test broker, lets it lose the answer of a bind, and
// asks its ledger what the catalog did about it.
func (s *scene) checkTestBroker(t *testing.T) {
	require.NoError(t, s.InstallTestBroker(t.Context(), adminToken))
	s.kubectl(t, "wait", "clusterservicebroker/test-broker", "--for=condition=Ready", "--timeout=2m")
	classes := strings.Fields(s.kubectl(t, "get", "clusterserviceclasses", "-o", `jsonpath={.items[?(@.spec.clusterServiceBrokerName=="test-broker")].spec.externalName}`))
	assert.Contains(t, classes, "test-service-provision-fail500-5x")
	assert.Greater(t, len(classes), 80)

	a := s.forward(t)
	a.send(t, http.MethodPost, "rules", `{"match":{"operations":["bind"]},"times":1,"do":{"cut":"reset","effect":"before"}}`, nil)
	s.create(t, `{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceInstance","metadata":{"name":"fragile","namespace":"plain"},
		"spec":{"clusterServiceClassExternalName":"test-service","clusterServicePlanExternalName":"default"}}`)
	s.create(t, `{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding","metadata":{"name":"fragile","namespace":"plain"},
		"spec":{"instanceRef":{"name":"fragile"}}}`)
	s.kubectl(t, "wait", "servicebinding/fragile", "-n", "plain", "--for=condition=Ready", "--timeout=3m")

	var state struct {
		Instances, LiveCredentials []any
		Issued, Revoked            int
	}
	a.send(t, http.MethodGet, "state", "", &state)
	assert.Len(t, state.LiveCredentials, 1, "what was handed out unheard was not left behind")
	assert.Equal(t, state.Issued, state.Revoked+1)
	var ledger struct{ Entries []struct{ Outcome string } }
	a.send(t, http.MethodGet, "ledger?operation=bind", "", &ledger)
	require.Greater(t, len(ledger.Entries), 1)
	assert.Equal(t, "cut", ledger.Entries[0].Outcome)
	a.send(t, http.MethodGet, "ledger?complaints=true", "", &ledger)
	assert.Empty(t, ledger.Entries, "the catalog kept the API's rules")

	s.kubectl(t, "delete", "servicebinding/fragile", "serviceinstance/fragile", "-n", "plain", "--timeout=2m")
	a.send(t, http.MethodGet, "state", "", &state)
	assert.Empty(t, state.Instances)
	assert.Empty(t, state.LiveCredentials)
	require.NoError(t, s.UninstallTestBroker(t.Context()))
}

// admin is the test broker's admin endpoint, as a user reaches it.
type admin struct{ url string }

// forwarding is what kubectl says when it listens.
var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// forward runs kubectl port-forward until the test is over.
func (s *scene) forward(t *testing.T) *admin {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.Kubectl, "port-forward", "-n", stage.TestBrokerNamespace, "service/test-broker-admin", ":8081")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be over already
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at := forwarding.FindStringSubmatch(lines.Text()); at != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // or it would block
			return &admin{"http://" + at[1] + "/admin/"}
		}
	}
	require.FailNow(t, "kubectl port-forward ended")
	return nil
}

// send asks the endpoint; the answer must be a yes.
func (a *admin) send(t *testing.T, method, path, body string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, a.url+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, raw)
	if into != nil {
		require.NoError(t, json.Unmarshal(raw, into))
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

const (
	patience = 30 * time.Second
	tick     = 10 * time.Millisecond
)

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// process is the command at work.
type process struct {
	t          *testing.T
	url, admin string
	log        *logBuffer
	stop       context.CancelFunc
	done       chan error
}

func launch(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &process{t: t, log: &logBuffer{}, stop: stop, done: make(chan error, 1)}
	cmd := newCommand(p.log)
	cmd.SetArgs(append([]string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...))
	go func() { p.done <- cmd.ExecuteContext(ctx) }()
	return p
}

// listening finds the ports in the log.
var listening = regexp.MustCompile(`"msg":"Listening","for":"(platforms|admin)".*"address":"([^"]+)"`)

// start is launch, until the command listens on both addresses.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := launch(t, args...)
	require.Eventually(t, func() bool {
		for _, at := range listening.FindAllStringSubmatch(p.log.String(), -1) {
			if at[1] == "admin" {
				p.admin = "http://" + at[2]
			} else {
				p.url = "http://" + at[2]
			}
		}
		return p.url != "" && p.admin != ""
	}, patience, tick)
	return p
}

// file writes a value as a mounted Secret has it: with a line end, here and there.
func file(t *testing.T, value string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value")
	require.NoError(t, os.WriteFile(path, []byte(value+"\n"), 0o600))
	return path
}

func logins(t *testing.T) []string {
	t.Helper()
	return []string{
		"--username-file", file(t, "platform"), "--password-file", file(t, "hidden-password"),
		"--token-file", file(t, "hidden-token"), "--admin-token-file", file(t, "hidden-admin"),
	}
}

// ask sends a request with a bearer token, and returns code and body.
func (p *process) ask(method, url, token, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, url, strings.NewReader(body))
	require.NoError(p.t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return resp.StatusCode, string(all)
}

func (p *process) client(auth osb.Auth) *osb.Client {
	p.t.Helper()
	client, err := osb.NewClient(osb.Config{URL: p.url, Auth: auth, Timeout: patience})
	require.NoError(p.t, err)
	p.t.Cleanup(client.Close)
	return client
}

func provision(t *testing.T, client *osb.Client, id string) error {
	t.Helper()
	r, err := client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	if err != nil {
		return err
	}
	s := r.Catalog.Services[0]
	_, err = client.Provision(t.Context(), &osb.ProvisionRequest{
		InstanceID: id, ServiceID: s.ID, PlanID: s.Plans[0].ID, OrganizationGUID: "c", SpaceGUID: "n", Parameters: osb.RawJSON(`{"key":"hidden-parameter"}`),
	})
	return err
}

func TestPlatformsAndAdminsHaveLoginsOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := start(t, logins(t)...)
	require.NoError(t, provision(t, p.client(osb.BasicAuth("platform", "hidden-password")), "i-1"))
	require.NoError(t, provision(t, p.client(osb.BearerAuth("hidden-token")), "i-2"))
	_, err := p.client(osb.BearerAuth("hidden-admin")).GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.True(t, osb.IsKind(err, osb.KindUnauthorized), "%v", err)
	for token, want := range map[string]int{"hidden-admin": 200, "hidden-token": 401, "": 401} {
		code, _ := p.ask(http.MethodGet, p.admin+"/admin/state", token, "")
		assert.Equal(t, want, code, token)
	}
	code, _ := p.ask(http.MethodGet, p.url+"/readyz", "", "")
	assert.Equal(t, http.StatusOK, code, "probes need none")
	code, _ = p.ask(http.MethodGet, p.url+"/admin/state", "hidden-admin", "")
	assert.NotEqual(t, http.StatusOK, code, "the admin endpoint is not where platforms are")

	p.stop()
	require.NoError(t, <-p.done)
	text := p.log.String()
	for line := range strings.Lines(text) {
		require.True(t, json.Valid([]byte(line)), line)
	}
	assert.NotContains(t, text, "hidden-")
	assert.Contains(t, text, `"msg":"Stopped"`)
}

func TestScriptedAtRunTime(t *testing.T) {
	t.Parallel()
	p := start(t, "--no-auth")
	client := p.client(osb.Auth{})
	code, text := p.ask(http.MethodPost, p.admin+"/admin/rules", "", `{"match":{"operations":["provision"]},"times":1,"do":{"status":503}}`)
	require.Equal(t, http.StatusOK, code, text)
	require.True(t, osb.IsKind(provision(t, client, "i"), osb.KindUnavailable))
	require.NoError(t, provision(t, client, "i"))
}

func TestWhatIsThereFromTheBeginning(t *testing.T) {
	t.Parallel()
	rules := file(t, `{"rules":[{"match":{"operations":["provision"]},"do":{"error":"ConcurrencyError"}}]}`)
	catalog := file(t, `{"services":[],"names":["test-service-async"]}`)
	p := start(t, "--no-auth", "--rules-file", rules, "--catalog-file", catalog, "--bulk-plans", "20")
	client := p.client(osb.Auth{})
	require.True(t, osb.IsKind(provision(t, client, "i"), osb.KindBusy))
	r, err := client.GetCatalog(t.Context(), &osb.CatalogRequest{})
	require.NoError(t, err)
	assert.Len(t, r.Catalog.Services, 3)
}

func TestTheLedgerOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "ledger")
	p := start(t, "--no-auth", "--ledger", ledger)
	require.NoError(t, provision(t, p.client(osb.Auth{}), "i-1"))
	p.stop()
	require.NoError(t, <-p.done)
	p = start(t, "--no-auth", "--ledger", ledger)
	_, text := p.ask(http.MethodGet, p.admin+"/admin/state", "", "")
	assert.Contains(t, text, `"i-1"`)
	_, text = p.ask(http.MethodGet, p.admin+"/admin/ledger?operation=provision", "", "")
	assert.Contains(t, text, "hidden-parameter")
}

// Requests that wait do not keep a Pod from stopping.
func TestAStopEndsWhatHangs(t *testing.T) {
	t.Parallel()
	p := start(t, "--no-auth", "--shutdown-timeout", "1h")
	client := p.client(osb.Auth{})
	p.ask(http.MethodPost, p.admin+"/admin/rules", "", `{"match":{"operations":["provision"]},"do":{"hang":true}}`)
	answered := make(chan error, 1)
	go func() { answered <- provision(t, client, "i") }()
	require.Eventually(t, func() bool {
		_, text := p.ask(http.MethodGet, p.admin+"/admin/state", "", "")
		return strings.Contains(text, `"waiting": 1`)
	}, patience, tick)
	p.stop()
	require.Error(t, <-answered)
	require.NoError(t, <-p.done)
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	cert, key := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	pool := writeCertificate(t, cert, key)
	p := start(t, "--no-auth", "--tls-cert-file", cert, "--tls-key-file", key)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	for _, url := range []string{p.url + "/healthz", p.admin + "/admin/state"} {
		resp, err := client.Get(strings.Replace(url, "http:", "https:", 1))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusOK, resp.StatusCode)
	}
}

// writeCertificate makes a self-signed certificate for loopback.
func writeCertificate(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return pool
}

func TestStartsThatFailSayWhatToDo(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, taken.Close()) })
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no login for platforms":   {nil, "platforms must log in"},
		"no login for admins":      {[]string{"--token-file", file(t, "x")}, "the admin endpoint needs a login"},
		"a name without password":  {[]string{"--no-auth", "--username-file", file(t, "x")}, "belong together"},
		"an empty password":        {[]string{"--no-auth", "--username-file", file(t, "x"), "--password-file", file(t, "")}, "is empty"},
		"an empty token":           {[]string{"--no-auth", "--token-file", file(t, "")}, "the file of --token-file is empty"},
		"a token that is missing":  {[]string{"--no-auth", "--admin-token-file", "/nonexistent"}, "read --admin-token-file"},
		"half a certificate":       {[]string{"--no-auth", "--tls-key-file", "x"}, "give both or none"},
		"a certificate of nothing": {[]string{"--no-auth", "--tls-key-file", file(t, ""), "--tls-cert-file", file(t, "")}, "load the certificate"},
		"a level of fancy":         {[]string{"--no-auth", "--log-level", "loud"}, "none of: info, debug"},
		"a format of fancy":        {[]string{"--no-auth", "--log-format", "xml"}, "none of: json, text"},
		"nowhere to listen":        {[]string{"--no-auth", "--listen", ""}, "--listen is empty"},
		"an address that is taken": {[]string{"--no-auth", "--admin-listen", taken.Addr().String()}, "listen for admin"},
		"a misspelt rule":          {[]string{"--no-auth", "--rules-file", file(t, `{"rules":[{"tims":1}]}`)}, `unknown field "tims"`},
		"rules that are missing":   {[]string{"--no-auth", "--rules-file", "/nonexistent"}, "read --rules-file"},
		"a misspelt catalog":       {[]string{"--no-auth", "--catalog-file", file(t, `{"x":1}`)}, "read --catalog-file"},
		"a catalog that is none":   {[]string{"--no-auth", "--catalog-file", "/nonexistent"}, "read --catalog-file"},
		"too many plans":           {[]string{"--no-auth", "--bulk-plans", "10001"}, "bulkPlans is 0 to 10000"},
		"a ledger of nothing":      {[]string{"--no-auth", "--ledger-entries", "0"}, "more than zero"},
		"a ledger that is none":    {[]string{"--no-auth", "--ledger", file(t, "something else")}, "move it away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := <-launch(t, tc.args...).done
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestVersionIsPrintedAndFlagsComeFromTheEnvironment(t *testing.T) {
	t.Setenv("TEST_BROKER_VERSION", "15")
	t.Setenv("TEST_BROKER_LOG_LEVEL", "loud")
	var out bytes.Buffer
	cmd := newCommand(io.Discard)
	cmd.SetArgs([]string{"--version"})
	cmd.SetOut(&out)
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	assert.Equal(t, "test-broker version dev", strings.TrimSpace(out.String()))

	cmd = newCommand(io.Discard)
	cmd.SetArgs([]string{"--no-auth"})
	require.ErrorContains(t, cmd.ExecuteContext(t.Context()), `--log-level "loud"`)
	t.Setenv("TEST_BROKER_BULK_PLANS", "many")
	require.ErrorContains(t, cmd.ExecuteContext(t.Context()), "TEST_BROKER_BULK_PLANS")
}

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

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
	"github.com/svc-cat/catalog/internal/brokers/postgres/pgtest"
	"github.com/svc-cat/catalog/osb"
)

const (
	testKey  = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
	patience = 30 * time.Second
	tick     = 20 * time.Millisecond
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
	url  string
	log  *logBuffer
	stop context.CancelFunc
	done chan error
}

func launch(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &process{log: &logBuffer{}, stop: stop, done: make(chan error, 1)}
	cmd := newCommand(p.log)
	cmd.SetArgs(append(args, "--listen", "127.0.0.1:0"))
	go func() { p.done <- cmd.ExecuteContext(ctx) }()
	return p
}

// start is launch, until the command listens.
func start(t *testing.T, scheme string, args ...string) *process {
	t.Helper()
	p := launch(t, args...)
	require.Eventually(t, func() bool {
		at := listening.FindStringSubmatch(p.log.String())
		if at != nil {
			p.url = scheme + "://" + at[1]
		}
		return at != nil
	}, patience, tick)
	return p
}

// listening finds the port in the log: one that is looked for and given back
// before may be another test's by then.
var listening = regexp.MustCompile(`"msg":"Listening".*"address":"([^"]+)"`)

// file writes a value as a mounted Secret has it: with a line end, here and there.
func file(t *testing.T, value string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value")
	require.NoError(t, os.WriteFile(path, []byte(value+"\n"), 0o600))
	return path
}

func secretArgs(t *testing.T, dsn string) []string {
	t.Helper()
	return []string{
		"--dsn-file", file(t, dsn), "--username-file", file(t, "platform"), "--password-file", file(t, "hidden-password"),
		"--encryption-key-file", file(t, testKey), "--sslmode", "disable",
	}
}

func status(client *http.Client, url string) (int, string) {
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func requireStatus(t *testing.T, client *http.Client, url string, want int) {
	t.Helper()
	require.Eventually(t, func() bool { got, _ := status(client, url); return got == want }, patience, tick)
}

func TestBrokerWaitsForPostgreSQLAndOutlivesItsRestart(t *testing.T) {
	t.Parallel()
	pg, err := pgtest.Start(t.Context())
	require.NoError(t, err)
	defer pg.Stop()
	pg.Halt()

	p := start(t, "http", secretArgs(t, pg.DSN("postgres"))...)
	requireStatus(t, http.DefaultClient, p.url+"/healthz", http.StatusOK)
	requireStatus(t, http.DefaultClient, p.url+"/readyz", http.StatusServiceUnavailable)
	code, body := status(http.DefaultClient, p.url+"/v2/catalog")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Contains(t, body, "waits for its PostgreSQL server")
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "Waiting for PostgreSQL") }, patience, tick)

	require.NoError(t, pg.Resume(t.Context()))
	requireStatus(t, http.DefaultClient, p.url+"/readyz", http.StatusOK)
	code, _ = status(http.DefaultClient, p.url+"/v2/catalog")
	assert.Equal(t, http.StatusUnauthorized, code)

	client, err := osb.NewClient(osb.Config{URL: p.url, Auth: osb.BasicAuth("platform", "hidden-password")})
	require.NoError(t, err)
	defer client.Close()
	first := provision(t, client)
	require.NoError(t, first)

	pg.Halt()
	requireStatus(t, http.DefaultClient, p.url+"/readyz", http.StatusServiceUnavailable)
	err = provision(t, client)
	require.True(t, osb.IsKind(err, osb.KindUnavailable), "%v", err)
	assert.Contains(t, osb.AsError(err).Description, "cannot reach its PostgreSQL server")

	require.NoError(t, pg.Resume(t.Context()))
	requireStatus(t, http.DefaultClient, p.url+"/readyz", http.StatusOK)
	require.NoError(t, provision(t, client))

	p.stop()
	require.NoError(t, <-p.done)
	requireCleanLog(t, p)
}

func provision(t *testing.T, client *osb.Client) error {
	t.Helper()
	_, err := client.Provision(t.Context(), &osb.ProvisionRequest{
		InstanceID: uuid.NewString(), ServiceID: postgres.ServiceID, PlanID: postgres.PlanSmallID,
		OrganizationGUID: "cluster", SpaceGUID: "namespace",
	})
	return err
}

// requireCleanLog asserts that each line is JSON and none holds a secret.
func requireCleanLog(t *testing.T, p *process) {
	t.Helper()
	text := p.log.String()
	for line := range strings.Lines(text) {
		require.True(t, json.Valid([]byte(line)), line)
	}
	for _, secret := range []string{"hidden-password", "superuser-of-a-test", testKey} {
		assert.NotContains(t, text, secret)
	}
	assert.Contains(t, text, `"msg":"Stopped"`)
}

func TestStopWhileWaitingForPostgreSQL(t *testing.T) {
	t.Parallel()
	p := start(t, "http", secretArgs(t, "postgres://u:hidden-password@127.0.0.1:1/db")...)
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "Waiting for PostgreSQL") }, patience, tick)
	p.stop()
	require.NoError(t, <-p.done)
	requireCleanLog(t, p)
}

func TestHTTPSWithACertificateThatIsRenewed(t *testing.T) {
	t.Parallel()
	cert, key := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	pool := writeCertificate(t, cert, key)
	args := append(secretArgs(t, "postgres://u:p@127.0.0.1:1/db"), "--tls-cert-file", cert, "--tls-key-file", key)
	p := start(t, "https", args...)
	old := trusting(pool)
	requireStatus(t, old, p.url+"/healthz", http.StatusOK)

	fresh := trusting(writeCertificate(t, cert, key))
	requireStatus(t, fresh, p.url+"/healthz", http.StatusOK)
	old.CloseIdleConnections()
	code, _ := status(old, p.url+"/healthz")
	assert.Zero(t, code, "the old certificate is served no more")
	p.stop()
	require.NoError(t, <-p.done)
}

func trusting(pool *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
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
	without := func(flag string) []string {
		args := secretArgs(t, "postgres://u:hidden-password@127.0.0.1:1/db")
		for i, arg := range args {
			if arg == flag {
				return append(args[:i:i], args[i+2:]...)
			}
		}
		return args
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no DSN":                 {without("--dsn-file"), "give --dsn-file, or the DSN itself in POSTGRES_BROKER_DSN"},
		"no user name":           {without("--username-file"), "--username-file is required"},
		"no password":            {without("--password-file"), "--password-file is required"},
		"no key":                 {without("--encryption-key-file"), "--encryption-key-file is required"},
		"an empty password":      {append(without("--password-file"), "--password-file", file(t, "")), "is empty"},
		"a key that is none":     {append(without("--encryption-key-file"), "--encryption-key-file", file(t, "hidden-password")), "openssl rand -base64 32"},
		"a file that is missing": {append(without("--dsn-file"), "--dsn-file", "/nonexistent"), "read --dsn-file"},
		"an sslmode of fancy":    {append(without(""), "--sslmode", "maybe"), "none of: disable"},
		"half a certificate":     {append(without(""), "--tls-cert-file", "x"), "give both or none"},
		"a stop that cuts":       {append(without(""), "--shutdown-timeout", "1s"), "--shutdown-timeout must not be less"},
		"a level of fancy":       {append(without(""), "--log-level", "loud"), "none of: info, debug"},
		"a malformed DSN":        {append(without("--dsn-file"), "--dsn-file", file(t, "postgres://u:hidden-password@h:x/db")), "the DSN of PostgreSQL cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := <-launch(t, tc.args...).done
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hidden-password")
		})
	}
}

// The environment of a Pod has variables that nobody thought of as flags.
func TestVersionIsPrintedAndNoFlagOfTheEnvironment(t *testing.T) {
	t.Setenv("POSTGRES_BROKER_VERSION", "15")
	t.Setenv("POSTGRES_BROKER_HELP", "see the wiki")
	var out bytes.Buffer
	cmd := newCommand(io.Discard)
	cmd.SetArgs([]string{"--version"})
	cmd.SetOut(&out)
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	assert.Equal(t, "postgres-broker version dev", strings.TrimSpace(out.String()))

	cmd = newCommand(io.Discard)
	cmd.SetArgs([]string{"--sslmode", "maybe"})
	require.ErrorContains(t, cmd.ExecuteContext(t.Context()), "--sslmode", "the two variables are no fault")
}

func TestNoAnswerIsCutOffBeforeItsOperationIs(t *testing.T) {
	t.Parallel()
	o := &options{operationTimeout: time.Hour, shutdownTimeout: 2 * time.Hour}
	cfg := o.server(nil)
	assert.Greater(t, cfg.WriteTimeout, o.operationTimeout)
	assert.Equal(t, o.shutdownTimeout, cfg.ShutdownTimeout)
}

// One Secret is read here and by the platform: both must see the same password.
func TestASecretIsAllOfItsFileButTheLineEnd(t *testing.T) {
	t.Parallel()
	o := &options{
		usernameFile: file(t, "user\r"), passwordFile: file(t, " a word "), encryptionKeyFile: file(t, " "+testKey+" "), dsnFile: file(t, " postgres://h "),
	}
	s, err := o.readSecrets(func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	assert.Equal(t, secrets{username: "user", password: " a word ", dsn: "postgres://h", keys: s.keys}, s)
}

func TestFlagsFromTheEnvironment(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"POSTGRES_BROKER_PUBLIC_HOST": "from-env", "POSTGRES_BROKER_PUBLIC_PORT": "6432", "POSTGRES_BROKER_EXTENSIONS": "citext,hstore",
	}
	lookup := func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
	o := &options{}
	cmd := newCommand(io.Discard)
	cmd.ResetFlags()
	o.bind(cmd.Flags())
	require.NoError(t, cmd.ParseFlags([]string{"--public-port", "7000"}))
	require.NoError(t, fromEnvironment(cmd.Flags(), lookup))
	assert.Equal(t, "from-env", o.publicHost)
	assert.Equal(t, uint16(7000), o.publicPort, "a flag wins over the environment")
	assert.Equal(t, []string{"citext", "hstore"}, o.extensions)

	environment["POSTGRES_BROKER_OPERATION_TIMEOUT"] = "soon"
	require.ErrorContains(t, fromEnvironment(cmd.Flags(), lookup), "POSTGRES_BROKER_OPERATION_TIMEOUT")

	dsn, err := o.readDSN(func(string) (string, bool) { return "postgres://from-env", true })
	require.NoError(t, err)
	assert.Equal(t, "postgres://from-env", dsn)
}

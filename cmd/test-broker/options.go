package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/svc-cat/catalog/internal/brokers/test"
	"github.com/svc-cat/catalog/osb/broker"
)

// envPrefix begins the environment variable of each flag: --admin-listen is
// TEST_BROKER_ADMIN_LISTEN.
const envPrefix = "TEST_BROKER_"

// options are the flags as given; check says whether they go together.
type options struct {
	address         string
	adminAddress    string
	tlsCertFile     string
	tlsKeyFile      string
	usernameFile    string
	passwordFile    string
	tokenFile       string
	adminTokenFile  string
	noAuth          bool
	rulesFile       string
	catalogFile     string
	bulkPlans       int
	asyncDuration   time.Duration
	ledgerFile      string
	ledgerEntries   int
	shutdownTimeout time.Duration
	logLevel        string
	logFormat       string
}

// bind names a flag for each option.
func (o *options) bind(f *pflag.FlagSet) {
	f.StringVar(&o.address, "listen", ":8080", "address to serve platforms and probes on")
	f.StringVar(&o.adminAddress, "admin-listen", ":8081", "address to serve the admin endpoint on; empty for none")
	f.StringVar(&o.tlsCertFile, "tls-cert-file", "", "certificate to serve HTTPS with on both, PEM; read again for each connection")
	f.StringVar(&o.tlsKeyFile, "tls-key-file", "", "key of the certificate, PEM")
	f.StringVar(&o.usernameFile, "username-file", "", "file with the user name that platforms log in with")
	f.StringVar(&o.passwordFile, "password-file", "", "file with the password that platforms log in with")
	f.StringVar(&o.tokenFile, "token-file", "", "file with a bearer token that platforms may log in with, too or instead")
	f.StringVar(&o.adminTokenFile, "admin-token-file", "", "file with the bearer token of the admin endpoint")
	f.BoolVar(&o.noAuth, "no-auth", false, "let everybody in, platforms and admins alike, unless a file says otherwise")
	f.StringVar(&o.rulesFile, "rules-file", "", `file with rules for the beginning, {"rules": […]}`)
	f.StringVar(&o.catalogFile, "catalog-file", "", "file that says what is offered, as PUT /admin/catalog reads it")
	f.IntVar(&o.bulkPlans, "bulk-plans", 0, "offer so many more plans that do nothing special, up to 10000")
	f.DurationVar(&o.asyncDuration, "async-duration", 10*time.Second, "how long asynchronous work takes that a service's name asks for")
	f.StringVar(&o.ledgerFile, "ledger", "", "file that keeps ledger and state over restarts")
	f.IntVar(&o.ledgerEntries, "ledger-entries", test.DefaultLedgerEntries, "requests that the ledger keeps")
	f.DurationVar(&o.shutdownTimeout, "shutdown-timeout", shutdownTimeout, "longest time for answers under way when told to stop; what waits is ended at once")
	f.StringVar(&o.logLevel, "log-level", "info", "info or debug")
	f.StringVar(&o.logFormat, "log-format", "json", "json or text")
}

// fromEnvironment sets each flag that was not given from its variable. All that
// are wrong are told at once: each would cost a restart.
func fromEnvironment(f *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		value, ok := lookup(name)
		if !ok || flag.Changed {
			return
		}
		if err := f.Set(flag.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
	})
	return errors.Join(errs...)
}

// check refuses what no start could cure.
func (o *options) check() error {
	switch {
	case o.address == "":
		return errors.New("--listen is empty; say where platforms find the broker, such as :8080")
	case (o.tlsCertFile == "") != (o.tlsKeyFile == ""):
		return errors.New("--tls-cert-file and --tls-key-file belong together; give both or none")
	case (o.usernameFile == "") != (o.passwordFile == ""):
		return errors.New("--username-file and --password-file belong together; give both or none")
	case o.usernameFile == "" && o.tokenFile == "" && !o.noAuth:
		return errors.New("platforms must log in: give --username-file and --password-file, or --token-file, or let everybody in with --no-auth")
	case o.adminAddress != "" && o.adminTokenFile == "" && !o.noAuth:
		return errors.New("the admin endpoint needs a login: give --admin-token-file, or serve none with --admin-listen=, or let everybody in with --no-auth")
	case o.asyncDuration < 0 || o.ledgerEntries <= 0:
		return errors.New("--async-duration is not negative, and --ledger-entries is more than zero")
	}
	return nil
}

// logger writes to w. The levels and formats are those of the catalog's commands.
func (o *options) logger(w io.Writer) (*slog.Logger, error) {
	h := &slog.HandlerOptions{}
	switch o.logLevel {
	case "info":
	case "debug":
		h.Level = slog.LevelDebug
	default:
		return nil, fmt.Errorf("--log-level %q is none of: info, debug", o.logLevel)
	}
	switch o.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(w, h)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, h)), nil
	}
	return nil, fmt.Errorf("--log-format %q is none of: json, text", o.logFormat)
}

// logins are who may ask, platforms and admins. What is missing or empty ends the
// start with a sentence instead of each request with a 401.
func (o *options) logins() (platforms, admin broker.Authenticator, err error) {
	platforms, admin = broker.NoAuth(), broker.NoAuth()
	var either []broker.Authenticator
	if o.usernameFile != "" {
		username, err := readSecret("username-file", o.usernameFile)
		if err != nil {
			return nil, nil, err
		}
		password, err := readSecret("password-file", o.passwordFile)
		if err != nil {
			return nil, nil, err
		}
		either = append(either, broker.BasicAuth(map[string]string{username: password}))
	}
	if o.tokenFile != "" {
		token, err := readSecret("token-file", o.tokenFile)
		if err != nil {
			return nil, nil, err
		}
		either = append(either, broker.BearerAuth(token))
	}
	if len(either) > 0 {
		platforms = broker.AnyOf(either...)
	}
	if o.adminTokenFile != "" {
		token, err := readSecret("admin-token-file", o.adminTokenFile)
		if err != nil {
			return nil, nil, err
		}
		admin = broker.BearerAuth(token)
	}
	return platforms, admin, nil
}

// readSecret reads a file of one value. The line end behind it does not count,
// and nothing else is cut off: the platform, which may read the same Secret, does
// just so.
func readSecret(flag, path string) (string, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator chose the path
	if err != nil {
		return "", fmt.Errorf("read --%s: %w", flag, err)
	}
	value := strings.TrimRight(string(raw), "\r\n")
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("the file of --%s is empty", flag)
	}
	return value, nil
}

// tlsConfig is nil for plain HTTP. The files are read for each handshake, so a
// renewed certificate needs no restart.
func (o *options) tlsConfig() (*tls.Config, error) {
	if o.tlsCertFile == "" {
		return nil, nil
	}
	load := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.tlsCertFile, o.tlsKeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the certificate: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: load}, nil
}

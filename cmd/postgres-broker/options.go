package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/svc-cat/catalog/internal/brokers/postgres"
)

// envPrefix begins the environment variable of each flag: --public-host is
// POSTGRES_BROKER_PUBLIC_HOST.
const envPrefix = "POSTGRES_BROKER_"

// dsnEnv holds the DSN when no file does. There is no flag for it: flags are
// seen by everybody who may list processes.
const dsnEnv = envPrefix + "DSN"

// options are the flags as given; check says whether they go together.
type options struct {
	listen            string
	tlsCertFile       string
	tlsKeyFile        string
	dsnFile           string
	usernameFile      string
	passwordFile      string
	encryptionKeyFile string
	publicHost        string
	publicPort        uint16
	sslMode           string
	extensions        []string
	operationTimeout  time.Duration
	shutdownTimeout   time.Duration
	logLevel          string
	logFormat         string
}

// bind names a flag for each option. The timeouts fit into one another: a request
// is over before the platform stops waiting, a stop takes a little longer.
func (o *options) bind(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "listen", ":8080", "address to serve platforms and probes on")
	f.StringVar(&o.tlsCertFile, "tls-cert-file", "", "certificate to serve HTTPS with, PEM; read again for each connection")
	f.StringVar(&o.tlsKeyFile, "tls-key-file", "", "key of the certificate, PEM")
	f.StringVar(&o.dsnFile, "dsn-file", "", "file with the DSN of PostgreSQL, as a superuser or a role with CREATEROLE and CREATEDB (or give the DSN itself in "+dsnEnv+")")
	f.StringVar(&o.usernameFile, "username-file", "", "file with the user name that platforms log in with (required)")
	f.StringVar(&o.passwordFile, "password-file", "", "file with the password that platforms log in with (required)")
	f.StringVar(&o.encryptionKeyFile, "encryption-key-file", "", "file with the keys that seal stored passwords, one a line, 32 bytes in Base64; the first seals, all open (required)")
	f.StringVar(&o.publicHost, "public-host", "", "host in the credentials (default: the host of the DSN)")
	f.Uint16Var(&o.publicPort, "public-port", 0, "port in the credentials (default: the port of the DSN)")
	f.StringVar(&o.sslMode, "sslmode", "require", "sslmode in the credentials: "+strings.Join(sslModes(), ", "))
	f.StringSliceVar(&o.extensions, "extensions", postgres.DefaultExtensions(), "extensions that instances may ask for, as far as the server has them")
	f.DurationVar(&o.operationTimeout, "operation-timeout", postgres.DefaultOperationTimeout, "longest time for one request; keep it below what platforms wait (60s)")
	f.DurationVar(&o.shutdownTimeout, "shutdown-timeout", 55*time.Second, "longest time for requests under way when told to stop; keep it above --operation-timeout")
	f.StringVar(&o.logLevel, "log-level", "info", "info or debug")
	f.StringVar(&o.logFormat, "log-format", "json", "json or text")
}

// sslModes are libpq's, weakest first; applications are told one of them.
func sslModes() []string {
	return []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
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
	case !slices.Contains(sslModes(), o.sslMode):
		return fmt.Errorf("--sslmode %q is none of: %s", o.sslMode, strings.Join(sslModes(), ", "))
	case (o.tlsCertFile == "") != (o.tlsKeyFile == ""):
		return errors.New("--tls-cert-file and --tls-key-file belong together; give both or none")
	case o.operationTimeout <= 0:
		return errors.New("--operation-timeout must be more than zero")
	case o.shutdownTimeout < o.operationTimeout:
		return errors.New("--shutdown-timeout must not be less than --operation-timeout, or a stop would cut requests short")
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

// secrets are what the files hold.
type secrets struct {
	dsn      string
	username string
	password string
	keys     *postgres.Keyring
}

// readSecrets reads all of them before anything is served, so that what is
// missing ends the start with a sentence instead of each request with a 401.
func (o *options) readSecrets(lookup func(string) (string, bool)) (secrets, error) {
	var s secrets
	var err error
	if s.username, err = readSecret("username-file", o.usernameFile); err != nil {
		return s, err
	}
	if s.password, err = readSecret("password-file", o.passwordFile); err != nil {
		return s, err
	}
	keys, err := readSecret("encryption-key-file", o.encryptionKeyFile)
	if err != nil {
		return s, err
	}
	if s.keys, err = postgres.ParseKeyring(keys); err != nil {
		return s, fmt.Errorf("read --encryption-key-file: %w", err)
	}
	s.dsn, err = o.readDSN(lookup)
	return s, err
}

// readDSN prefers the file: a variable may be left over from another deployment.
func (o *options) readDSN(lookup func(string) (string, bool)) (string, error) {
	if o.dsnFile != "" {
		dsn, err := readSecret("dsn-file", o.dsnFile)
		return strings.TrimSpace(dsn), err
	}
	if dsn, _ := lookup(dsnEnv); dsn != "" {
		return dsn, nil
	}
	return "", errors.New("no DSN of PostgreSQL; give --dsn-file, or the DSN itself in " + dsnEnv)
}

// readSecret reads a file of one value. The line end behind it does not count,
// and nothing else is cut off: osb.BasicAuth, which may read the same Secret on
// the platform's side, does just so.
func readSecret(flag, path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("--%s is required", flag)
	}
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

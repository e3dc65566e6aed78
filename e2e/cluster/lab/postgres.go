package lab

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// postgresPort is PostgreSQL's port inside the cluster's network.
const postgresPort = "5432"

const (
	postgresUser = "postgres"
	// postgresName is the name of PostgreSQL's piece.
	postgresName = "postgres"
)

// Postgres are the facts to reach PostgreSQL with as its superuser.
type Postgres struct {
	// Host and Port are as seen from Pods and from inside the network.
	Host, Port string
	// Username and Password are the superuser's.
	Username, Password string
	// Database is one to connect to.
	Database string
	// SSLMode is what the server can do: it has a certificate of the cluster's
	// own authority.
	SSLMode string
	// HostPort is the port of the host's loopback that leads to it.
	HostPort int
}

// URI is the address from Pods and from inside the network.
func (p Postgres) URI() string { return p.uri(p.Host + ":" + p.Port) }

// HostURI is the address from the host.
func (p Postgres) HostURI() string { return p.uri(fmt.Sprintf("127.0.0.1:%d", p.HostPort)) }

func (p Postgres) uri(address string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(p.Username, p.Password), Host: address,
		Path: "/" + p.Database, RawQuery: "sslmode=" + p.SSLMode,
	}
	return u.String()
}

// envFile renders the facts for `kubectl create secret generic --from-env-file`.
func (p Postgres) envFile() string {
	var text strings.Builder
	for _, fact := range [][2]string{
		{"uri", p.URI()}, {"host", p.Host}, {"port", p.Port}, {"username", p.Username},
		{"password", p.Password}, {"database", p.Database}, {"sslmode", p.SSLMode},
	} {
		fmt.Fprintf(&text, "%s=%s\n", fact[0], fact[1])
	}
	return text.String()
}

// PostgresEnv is the file, for its owner only, with one fact a line: uri, host,
// port, username, password, database, sslmode. It is there while PostgreSQL is.
func (c *Cluster) PostgresEnv() string { return c.postgresEnv() }

func (c *Cluster) postgresEnv() string { return filepath.Join(c.layout.out, "postgres.env") }

func (c *Cluster) postgresHostURI() string { return filepath.Join(c.layout.out, "postgres.host-uri") }

// postgresConf is PostgreSQL's configuration. The data lives as long as the
// cluster, so nothing is flushed to the disk.
func postgresConf(l layout) []byte {
	return fmt.Appendf(nil, `listen_addresses = '%s,127.0.0.1'
port = %s
unix_socket_directories = '%s'
password_encryption = scram-sha-256
ssl = on
ssl_cert_file = '%s'
ssl_key_file = '%s'
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
timezone = 'UTC'
log_timezone = 'UTC'
`, nodeIP, postgresPort, l.in("postgres", "run"), l.in("postgres", "server.crt"), l.in("postgres", "server.key"))
}

// postgresAccess asks everybody on TCP for a password; the socket is for the
// system's user postgres.
func postgresAccess() []byte {
	return []byte("local\tall\tall\tpeer\nhost\tall\tall\t0.0.0.0/0\tscram-sha-256\n") //nolint:dupword // The file's syntax.
}

func postgresPiece(l layout, bin string, uid, gid uint32) piece {
	return piece{
		Name: postgresName,
		Argv: []string{filepath.Join(bin, "postgres"), "-D", l.in("postgres", "data")},
		Env:  []string{"PATH=" + bin, "LANG=C.UTF-8"},
		UID:  uid, GID: gid,
		Probe: probe{Socket: l.in("postgres", "run", ".s.PGSQL."+postgresPort)},
	}
}

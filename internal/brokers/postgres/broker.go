package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/svc-cat/catalog/osb"
	"github.com/svc-cat/catalog/osb/broker"
)

// DefaultOperationTimeout is below the 60 s that platforms wait for an answer (P14).
const DefaultOperationTimeout = 50 * time.Second

// Config is what a Broker needs to know.
type Config struct {
	// DSN reaches PostgreSQL as a superuser, or as a role with CREATEROLE and
	// CREATEDB. Its database holds the broker's records, in the schema postgres_broker.
	DSN string
	// Keys seal the passwords in the records.
	Keys *Keyring
	// PublicHost and PublicPort are where clients find the server; empty and
	// zero mean what the DSN says.
	PublicHost string
	PublicPort uint16
	// SSLMode goes into the credentials: a value of libpq's sslmode.
	SSLMode string
	// Extensions may be asked for, as far as the server has them; nil means DefaultExtensions.
	Extensions []string
	// OperationTimeout bounds one request, and one attempt to start; zero means
	// DefaultOperationTimeout.
	OperationTimeout time.Duration
	// Log is told what was made and dropped, never a password. Nil means no log.
	Log *slog.Logger
}

// Broker offers databases of one PostgreSQL server. Any number of Brokers, in
// any number of processes, may work on one server with one DSN.
type Broker struct {
	server           *server
	keys             *Keyring
	address          address
	catalog          *osb.Catalog
	validator        *validator
	operationTimeout time.Duration
	log              *slog.Logger
	// afterStep is told each step that an operation has finished; only tests set it.
	afterStep func(step string)
}

var (
	_ broker.Broker         = (*Broker)(nil)
	_ broker.Updater        = (*Broker)(nil)
	_ broker.InstanceGetter = (*Broker)(nil)
	_ broker.BindingGetter  = (*Broker)(nil)
)

// DefaultExtensions are those that PostgreSQL itself or common practice holds
// safe in the hands of a database's user: none of them reaches files, other
// servers or other databases.
func DefaultExtensions() []string {
	return []string{
		"btree_gin", "btree_gist", "citext", "cube", "dict_int", "earthdistance", "fuzzystrmatch", "hstore",
		"intarray", "isn", "lo", "ltree", "pg_trgm", "pgcrypto", "seg", "tablefunc", "tcn",
		"tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "vector",
	}
}

// New connects to PostgreSQL, makes or updates the broker's schema there and
// returns a Broker that is ready. Its errors hold no password; one that waiting
// cannot cure, such as a malformed DSN, satisfies IsPermanent.
func New(ctx context.Context, cfg Config) (*Broker, error) {
	b := &Broker{keys: cfg.Keys, operationTimeout: cfg.OperationTimeout, log: logOf(cfg)}
	if b.operationTimeout == 0 {
		b.operationTimeout = DefaultOperationTimeout
	}
	var err error
	if b.server, err = openServer(ctx, cfg.DSN, b.operationTimeout); err != nil {
		return nil, err
	}
	if err := b.configure(cfg); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func logOf(cfg Config) *slog.Logger {
	if cfg.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return cfg.Log
}

// configure settles what depends on the server.
func (b *Broker) configure(cfg Config) error {
	conn := b.server.config.ConnConfig
	b.address = address{host: cfg.PublicHost, port: cfg.PublicPort, sslmode: cfg.SSLMode}
	if b.address.host == "" {
		b.address.host = conn.Host
	}
	if b.address.port == 0 {
		b.address.port = conn.Port
	}
	if strings.HasPrefix(b.address.host, "/") {
		return errNoPublicHost
	}
	wanted := cfg.Extensions
	if wanted == nil {
		wanted = DefaultExtensions()
	}
	var err error
	if b.catalog, err = newCatalog(offeredExtensions(wanted, b.server.facts.extensions)); err != nil {
		return err
	}
	small := &b.catalog.Services[0].Plans[0]
	b.validator, err = newValidator(small.ProvisionSchema(), small.BindSchema())
	return err
}

// offeredExtensions are those on the list that the server has, sorted.
func offeredExtensions(wanted []string, have map[string]bool) []string {
	var offered []string
	for _, name := range wanted {
		if have[name] {
			offered = append(offered, name)
		}
	}
	slices.Sort(offered)
	return slices.Compact(offered)
}

// Close ends the connections to PostgreSQL.
func (b *Broker) Close() { b.server.close() }

// Ready says whether PostgreSQL answers now.
func (b *Broker) Ready(ctx context.Context) error {
	if err := b.server.ping(ctx); err != nil {
		return fmt.Errorf("ask PostgreSQL: %w", err)
	}
	return nil
}

// Catalog returns the one service with its plans.
func (b *Broker) Catalog(context.Context) (*osb.Catalog, error) { return b.catalog, nil }

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// version is set when the binary is built.
var version = "dev" //nolint:gochecknoglobals // the linker writes it

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo-app:", err)
		os.Exit(1)
	}
}

// command reads the command line and does what it says.
func command(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo-app", flag.ContinueOnError)
	from := flags.String("from", "files", "where to read the credentials: files or env")
	listen := flags.String("listen", ":8080", "address of /ready, which is 200 once the row was read back")
	tell := flags.Bool("version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *tell {
		_, err := fmt.Fprintln(out, "demo-app version "+version)
		return err
	}
	return run(ctx, *from, *listen)
}

// run stores a row, reads it back, and then answers probes until it is told to
// stop.
func run(ctx context.Context, from, listen string) error {
	var ready atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "no row yet", http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()

	if err := roundTrip(ctx, from); err != nil {
		return err
	}
	ready.Store(true)
	select {
	case err := <-failed:
		return fmt.Errorf("answer probes: %w", err)
	case <-ctx.Done():
	}
	if err := server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// roundTrip writes one row and reads it back.
func roundTrip(ctx context.Context, from string) error {
	uri, where, err := credentials(from)
	if err != nil {
		return err
	}
	fmt.Printf("credentials: from %s\n", where)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	db, err := pgx.Connect(ctx, uri)
	if err != nil {
		return fmt.Errorf("connect with the credentials from %s: %w", where, err) // pgx masks the password
	}
	defer db.Close(ctx)
	return store(ctx, db, from)
}

func store(ctx context.Context, db *pgx.Conn, from string) error {
	// Both containers may come first; an advisory lock makes them take turns.
	_, err := db.Exec(ctx, `DO $$ BEGIN
		PERFORM pg_advisory_xact_lock(1);
		CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL, placed timestamptz NOT NULL DEFAULT now());
	END $$`)
	if err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	var id int64
	item := "a book, paid by credentials from " + from
	if err := db.QueryRow(ctx, `INSERT INTO orders (item) VALUES ($1) RETURNING id`, item).Scan(&id); err != nil {
		return fmt.Errorf("write the row: %w", err)
	}
	var back, user, database string
	err = db.QueryRow(ctx, `SELECT item, current_database(), session_user FROM orders WHERE id = $1`, id).Scan(&back, &database, &user)
	if err != nil {
		return fmt.Errorf("read the row back: %w", err)
	}
	if back != item {
		return fmt.Errorf("row %d holds something else than was written", id)
	}
	fmt.Printf("row written and read back: id=%d item=%q database=%s user=%s\n", id, back, database, user)
	return nil
}

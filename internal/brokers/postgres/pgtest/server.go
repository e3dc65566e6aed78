package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// Superuser is the role that the server is made with.
	Superuser = "postgres"
	// password of Superuser: the server lives on loopback for one test run, and
	// passwords are asked for so that wrong ones are seen to fail.
	password = "superuser-of-a-test"

	startTimeout = 60 * time.Second
)

// Server is a running PostgreSQL server.
type Server struct {
	// Host is the loopback address, SocketDir the directory of the Unix socket.
	Host      string
	Port      int
	SocketDir string

	bin  string
	root string
	cred *syscall.Credential
	stop func()
}

// Start makes and runs a server. The caller calls Stop.
func Start(ctx context.Context) (*Server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	// Not below a test's own directory: the path of a Unix socket is at most 107 bytes.
	root, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", bin: bin, root: root, SocketDir: root}
	if err := s.setUp(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// setUp leaves what it made to Stop, also when it fails half way.
func (s *Server) setUp(ctx context.Context) error {
	if err := s.chooseUser(); err != nil {
		return err
	}
	if err := s.initdb(ctx); err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	s.Port = port
	return s.Resume(ctx)
}

// DSN is how the superuser reaches a database of the server.
func (s *Server) DSN(database string) string {
	return s.DSNFor(Superuser, password, database)
}

// DSNFor is how a role reaches a database of the server over TCP.
func (s *Server) DSNFor(role, rolePassword, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(role, rolePassword),
		Host:     net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Halt stops the server and keeps its data.
func (s *Server) Halt() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Stop stops the server and removes all that it had.
func (s *Server) Stop() {
	s.Halt()
	_ = os.RemoveAll(s.root)
}

// Resume runs the server on its data and waits until it lets clients in.
func (s *Server) Resume(ctx context.Context) error {
	//nolint:gosec // the log of a test is no secret
	logFile, err := os.OpenFile(filepath.Join(s.root, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer logFile.Close()
	//nolint:gosec // the program is PostgreSQL, the arguments are ours
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(s.bin, "postgres"),
		"-D", s.dataDir(), "-k", s.SocketDir, "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses="+s.Host, "-c", "max_connections=200", "-c", "max_prepared_transactions=20",
		// The data outlives no test: speed before durability.
		"-c", "fsync=off", "-c", "full_page_writes=off")
	cmd.Stdout, cmd.Stderr = logFile, logFile
	exited, err := s.run(cmd)
	if err != nil {
		return err
	}
	return s.awaitReady(ctx, exited)
}

// run starts the server from a thread that stays: the kernel stops the server
// when that thread ends, thus also when the test process is killed.
func (s *Server) run(cmd *exec.Cmd) (<-chan struct{}, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred, Pdeathsig: syscall.SIGQUIT}
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-exited
	}
	return exited, nil
}

func (s *Server) awaitReady(ctx context.Context, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-exited:
			return fmt.Errorf("PostgreSQL ended at start: %s", s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not let clients in within %s: %w: %s", startTimeout, err, s.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) dataDir() string { return filepath.Join(s.root, "data") }

// logTail is what PostgreSQL said last, for errors: its log goes with the test.
func (s *Server) logTail() string {
	data, _ := os.ReadFile(filepath.Join(s.root, "log"))
	if len(data) > 2000 {
		data = data[len(data)-2000:]
	}
	return string(data)
}

// chooseUser picks the user postgres when the tests run as root, which
// PostgreSQL refuses to be, and gives the directory to it.
func (s *Server) chooseUser() error {
	if err := os.Chmod(s.root, 0o755); err != nil { //nolint:gosec // the user postgres must get in
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root and there is no user postgres: %w; %s", err, howToInstall)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	s.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.root, int(uid), int(gid))
}

func (s *Server) initdb(ctx context.Context) error {
	passwordFile := filepath.Join(s.root, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o644); err != nil { //nolint:gosec // initdb reads it as another user
		return err
	}
	//nolint:gosec // as above
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", s.dataDir(), "-U", Superuser,
		"--auth=scram-sha-256", "--pwfile="+passwordFile, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

const howToInstall = "install PostgreSQL 15 or newer (Debian: apt-get install postgresql) or run `make test`, which does"

// findBinaries looks for the server in PATH and where Debian puts it, newest first.
func findBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	best, bestVersion := "", -1
	for _, path := range found {
		bin := filepath.Dir(path)
		version, err := strconv.Atoi(filepath.Base(strings.TrimSuffix(bin, "/bin")))
		if err == nil && version > bestVersion {
			best, bestVersion = bin, version
		}
	}
	if best == "" {
		return "", errors.New("no PostgreSQL server on this machine, and its tests are not skipped: " + howToInstall)
	}
	return best, nil
}

// freePort asks the kernel for a loopback port. Another process could take it
// before PostgreSQL does; then PostgreSQL ends at start and says so.
func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("listening on %s, which is no TCP address", l.Addr())
	}
	return address.Port, nil
}

package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// postgresPatience is how long PostgreSQL may take to accept connections.
const postgresPatience = time.Minute

// PostgresUp makes sure that PostgreSQL runs in the cluster's network, as a
// server outside of Kubernetes that Pods reach by the node's address. Its data
// stays until PostgresDown or Down.
func (c *Cluster) PostgresUp(ctx context.Context) (Postgres, error) {
	if err := checkHost(); err != nil {
		return Postgres{}, err
	}
	start := time.Now()
	if _, ok, err := findInit(c.layout.state); err != nil || !ok {
		return Postgres{}, fmt.Errorf("start PostgreSQL: %w", errOr(err, ErrNotRunning))
	}
	bin, err := ensurePostgres(ctx, c.Log)
	if err != nil {
		return Postgres{}, err
	}
	lock, err := c.lock(ctx)
	if err != nil {
		return Postgres{}, err
	}
	defer func() { _ = lock.Release() }()
	report, err := c.Status(ctx)
	if err != nil {
		return Postgres{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	uid, gid, err := postgresAccount()
	if err != nil {
		return Postgres{}, err
	}
	db := postgresFiles{layout: c.layout, bin: bin, uid: uid, gid: gid}
	if err := db.prepare(ctx); err != nil {
		return Postgres{}, err
	}
	if err := c.control(ctx, "PUT", "/pieces/"+postgresName, postgresPiece(c.layout, bin, uid, gid), nil); err != nil {
		return Postgres{}, err
	}
	if err := c.waitPostgres(ctx, bin); err != nil {
		return Postgres{}, err
	}
	password, err := os.ReadFile(db.passwordFile())
	if err != nil {
		return Postgres{}, fmt.Errorf("read PostgreSQL's password: %w", err)
	}
	facts := Postgres{
		Host: nodeIP, Port: postgresPort, Username: postgresUser, Password: string(password),
		Database: postgresUser, SSLMode: "require", HostPort: report.PostgresPort,
	}
	if err := writeFile(c.postgresEnv(), []byte(facts.envFile()), 0o600); err != nil {
		return Postgres{}, err
	}
	if err := writeFile(c.postgresHostURI(), []byte(facts.HostURI()+"\n"), 0o600); err != nil {
		return Postgres{}, err
	}
	c.say(start, "PostgreSQL runs at %s:%s; how to reach it is in %s", facts.Host, facts.Port, c.postgresEnv())
	return facts, nil
}

// PostgresDown stops PostgreSQL and removes its data. It succeeds when there is
// none, and when no cluster runs: Down leaves none behind.
func (c *Cluster) PostgresDown(ctx context.Context) error {
	if err := checkHost(); err != nil {
		return err
	}
	if _, ok, err := findInit(c.layout.state); err != nil || !ok {
		return err
	}
	lock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	if err := c.control(ctx, "DELETE", "/pieces/"+postgresName, nil, nil); err != nil {
		return err
	}
	for _, path := range []string{c.layout.in("postgres"), c.postgresEnv(), c.postgresHostURI()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove PostgreSQL's data: %w", err)
		}
	}
	return nil
}

// waitPostgres waits until PostgreSQL takes connections, which is later than
// that it listens.
func (c *Cluster) waitPostgres(ctx context.Context, bin string) error {
	ctx, cancel := context.WithTimeout(ctx, postgresPatience)
	defer cancel()
	err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q",
			"-h", c.layout.in("postgres", "run"), "-p", postgresPort)
		return cmd.Run() == nil, nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("wait for PostgreSQL: %w", err), c.tail(postgresName))
	}
	return nil
}

// postgresAccount is the user that PostgreSQL runs as; it refuses root.
func postgresAccount() (uid, gid uint32, err error) {
	account, err := user.Lookup(postgresUser)
	if err != nil {
		return 0, 0, fmt.Errorf("find the user that PostgreSQL's package makes: %w", err)
	}
	var ids [2]uint32
	for i, text := range []string{account.Uid, account.Gid} {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0, 0, fmt.Errorf("read the ids of user %s: %w", postgresUser, err)
		}
		ids[i] = uint32(id)
	}
	return ids[0], ids[1], nil
}

// postgresFiles are PostgreSQL's data and what belongs to it.
type postgresFiles struct {
	layout   layout
	bin      string
	uid, gid uint32
}

func (f postgresFiles) dir() string          { return f.layout.in("postgres") }
func (f postgresFiles) data() string         { return f.layout.in("postgres", "data") }
func (f postgresFiles) passwordFile() string { return f.layout.in("postgres", "password") }

// prepare makes the data directory unless it is there. It is made aside and
// renamed, so that a killed initdb leaves nothing that looks like data.
func (f postgresFiles) prepare(ctx context.Context) error {
	if _, err := os.Stat(f.data()); err == nil {
		return nil
	}
	if err := os.RemoveAll(f.dir()); err != nil {
		return fmt.Errorf("remove what an earlier run left of PostgreSQL: %w", err)
	}
	for _, dir := range []string{f.dir(), f.layout.in("postgres", "run")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("make PostgreSQL's folder: %w", err)
		}
		if err := os.Chown(dir, int(f.uid), int(f.gid)); err != nil {
			return fmt.Errorf("make PostgreSQL's folder: %w", err)
		}
	}
	if err := f.writeOwned(); err != nil {
		return err
	}
	temp := f.layout.in("postgres", "data.new")
	cmd := exec.CommandContext(ctx, filepath.Join(f.bin, "initdb"), "--pgdata="+temp, "--username="+postgresUser,
		"--pwfile="+f.passwordFile(), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.Dir = f.dir()
	cmd.Env = []string{"PATH=" + f.bin + ":" + systemPath, "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: f.uid, Gid: f.gid}}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make PostgreSQL's data directory: %w: %s", err, out)
	}
	for name, content := range map[string][]byte{
		"postgresql.conf": postgresConf(f.layout), "pg_hba.conf": postgresAccess(),
	} {
		if err := f.write(filepath.Join(temp, name), content); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, f.data()); err != nil {
		return fmt.Errorf("put PostgreSQL's data directory in place: %w", err)
	}
	return nil
}

// writeOwned writes the password and the server's key pair.
func (f postgresFiles) writeOwned() error {
	if err := f.write(f.passwordFile(), []byte(rand.Text())); err != nil {
		return err
	}
	for _, ext := range []string{".crt", ".key"} {
		content, err := os.ReadFile(f.layout.pki("postgres" + ext))
		if err != nil {
			return fmt.Errorf("read PostgreSQL's key pair: %w", err)
		}
		if err := f.write(f.layout.in("postgres", "server"+ext), content); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file that only PostgreSQL's user can read.
func (f postgresFiles) write(path string, content []byte) error {
	if err := writeFile(path, content, 0o600); err != nil {
		return err
	}
	if err := os.Chown(path, int(f.uid), int(f.gid)); err != nil {
		return fmt.Errorf("give a file to PostgreSQL: %w", err)
	}
	return nil
}

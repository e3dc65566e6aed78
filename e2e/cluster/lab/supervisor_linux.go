package lab

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// probeEvery is how often a piece that is not yet healthy is looked at.
	probeEvery = 20 * time.Millisecond
	// startAttempts is how often a piece may end before it was ever healthy
	// until the start counts as failed.
	startAttempts = 3
	// longestBackoff bounds the pause before a piece that ended runs again.
	longestBackoff = 5 * time.Second
)

// supervisor runs pieces and, being the first process of its process
// namespace, reaps every process that is left to it.
//
// It does not use exec.Cmd.Wait: that and a reaper of all children would steal
// each other's exit codes.
type supervisor struct {
	plan    plan
	started time.Time
	log     *log.Logger

	mu     sync.Mutex
	exits  map[int]chan syscall.WaitStatus
	pieces map[string]*running
	order  []string
}

// running is a piece under supervision. Its fields are guarded by the
// supervisor's mutex, but for the channels.
type running struct {
	piece    piece
	pid      int
	restarts int
	lastEnd  string
	after    time.Duration
	stopping bool
	// healthy is closed at the first good probe, ended when it runs no more.
	healthy chan struct{}
	ended   chan struct{}
}

func newSupervisor(p plan, logger *log.Logger) *supervisor {
	return &supervisor{
		plan: p, started: time.Now(), log: logger,
		exits: map[int]chan syscall.WaitStatus{}, pieces: map[string]*running{},
	}
}

// reap waits for children for ever; signals must tell of every one that ends
// from the first piece on.
func (s *supervisor) reap(signals <-chan os.Signal) {
	for range signals {
		for s.reapOne() {
		}
	}
}

func (s *supervisor) reapOne() bool {
	// The lock spans Wait4 so that a child which ends at once is not reaped
	// before spawn has noted who waits for it.
	s.mu.Lock()
	defer s.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err != nil || pid <= 0 {
		return false
	}
	if exit, ok := s.exits[pid]; ok {
		delete(s.exits, pid)
		exit <- status
	}
	return true
}

// add takes a piece under supervision unless one of that name is.
func (s *supervisor) add(p piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.pieces[p.Name]; ok {
		return
	}
	r := &running{piece: p, healthy: make(chan struct{}), ended: make(chan struct{})}
	s.pieces[p.Name] = r
	s.order = append(s.order, p.Name)
	go s.run(r)
	go s.watchHealth(r)
}

// remove stops a piece and forgets it.
func (s *supervisor) remove(name string) {
	s.mu.Lock()
	r, ok := s.pieces[name]
	if !ok {
		s.mu.Unlock()
		return
	}
	r.stopping = true
	s.signal(r, syscall.SIGINT)
	s.mu.Unlock()
	select {
	case <-r.ended:
	case <-time.After(stopPatience):
		s.mu.Lock()
		s.signal(r, syscall.SIGKILL)
		s.mu.Unlock()
		<-r.ended
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pieces, name)
	s.order = slices.DeleteFunc(s.order, func(n string) bool { return n == name })
}

// signal needs the lock held: under it a pid in the table is not reaped yet.
func (s *supervisor) signal(r *running, sig syscall.Signal) {
	if r.pid != 0 {
		_ = syscall.Kill(r.pid, sig)
	}
}

// run starts a piece, and again each time it ends, as a node's service manager
// would.
func (s *supervisor) run(r *running) {
	defer close(r.ended)
	s.mu.Lock()
	var needs []*running
	for _, name := range r.piece.After {
		needs = append(needs, s.pieces[name])
	}
	s.mu.Unlock()
	for _, need := range needs {
		<-need.healthy
	}
	backoff := probeEvery
	for {
		started := time.Now()
		end := s.runOnce(r)
		s.mu.Lock()
		r.pid = 0
		r.lastEnd = end
		stopping := r.stopping
		if !stopping {
			r.restarts++
		}
		s.mu.Unlock()
		if stopping {
			return
		}
		s.log.Printf("%s %s after %s", r.piece.Name, end, time.Since(started).Round(time.Millisecond))
		if time.Since(started) > longestBackoff {
			backoff = probeEvery
		}
		time.Sleep(backoff)
		backoff = min(2*backoff, longestBackoff)
	}
}

// runOnce runs a piece to its end and says how it ended.
func (s *supervisor) runOnce(r *running) string {
	exit, err := s.spawn(r)
	if err != nil {
		return "could not be started: " + err.Error()
	}
	status := <-exit
	if status.Signaled() {
		return "was ended by signal " + status.Signal().String()
	}
	return fmt.Sprintf("ended with exit code %d", status.ExitStatus())
}

func (s *supervisor) spawn(r *running) (<-chan syscall.WaitStatus, error) {
	p := r.piece
	path, err := lookPath(p.Argv[0], p.Env)
	if err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(filepath.Join(s.plan.Logs, p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	defer func() { _ = logFile.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }()

	s.mu.Lock()
	defer s.mu.Unlock()
	if r.stopping {
		return nil, context.Canceled
	}
	process, err := os.StartProcess(path, p.Argv, &os.ProcAttr{
		Dir: "/", Env: p.Env, Files: []*os.File{null, logFile, logFile},
		Sys: &syscall.SysProcAttr{
			Setsid: true, Credential: &syscall.Credential{Uid: p.UID, Gid: p.GID},
		},
	})
	if err != nil {
		return nil, err
	}
	exit := make(chan syscall.WaitStatus, 1)
	s.exits[process.Pid] = exit
	r.pid = process.Pid
	return exit, process.Release()
}

// lookPath finds a program by the PATH of the environment it will run in.
func lookPath(name string, env []string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	for _, entry := range env {
		dirs, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(dirs) {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("find %s: %w", name, exec.ErrNotFound)
}

// watchHealth looks at a piece until it is healthy once.
func (s *supervisor) watchHealth(r *running) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ended:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		runs := r.pid != 0
		s.mu.Unlock()
		if !runs || r.piece.Probe.check(context.Background()) != nil {
			continue
		}
		s.mu.Lock()
		r.after = time.Since(s.started)
		s.mu.Unlock()
		close(r.healthy)
		return
	}
}

// report looks at every piece now.
func (s *supervisor) report(ctx context.Context) Report {
	s.mu.Lock()
	out := Report{APIPort: s.plan.APIPort, PostgresPort: s.plan.PostgresPort}
	for _, name := range s.order {
		r := s.pieces[name]
		out.Pieces = append(out.Pieces, PieceReport{
			Name: name, PID: r.pid, Restarts: r.restarts, LastEnd: r.lastEnd, HealthyAfter: r.after,
			Failed: r.after == 0 && r.restarts >= startAttempts, probe: r.piece.Probe,
		})
	}
	s.mu.Unlock()
	var all sync.WaitGroup
	for i := range out.Pieces {
		p := &out.Pieces[i]
		if p.PID == 0 {
			p.Detail = "not running"
			continue
		}
		all.Go(func() {
			if err := p.probe.check(ctx); err != nil {
				p.Detail = err.Error()
				return
			}
			p.Healthy = true
		})
	}
	all.Wait()
	return out
}

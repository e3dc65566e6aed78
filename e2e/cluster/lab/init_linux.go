package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// initName is the name that the first process of the namespaces goes by; its
// only argument is the state folder. Both together are how it is found again.
const initName = "svc-cat-cluster-init"

// The listeners that the first process inherits.
const (
	apiListenerFD = 3 + iota
	postgresListenerFD
)

// RunIfInit turns the process into a cluster's first process if it was started
// as one, and does not return then. Every program that calls Up must call it
// first in main or TestMain, since Up starts the program it is part of again.
func RunIfInit() {
	if len(os.Args) != 2 || os.Args[0] != initName {
		return
	}
	logger := log.New(os.Stderr, "", log.LstdFlags|log.Lmicroseconds)
	if err := initMain(context.Background(), filepath.Join(stateRoot, filepath.Base(os.Args[1])), logger); err != nil {
		logger.Printf("The cluster could not start: %v", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// initMain is the first process: it furnishes the namespaces, then keeps the
// pieces running until it is killed.
func initMain(ctx context.Context, state string, logger *log.Logger) error {
	for _, fd := range []int{apiListenerFD, postgresListenerFD} {
		syscall.CloseOnExec(fd)
	}
	// What the pieces make must not depend on who called Up.
	syscall.Umask(0o022)
	// Shown by ps and top, which would say "exe" else.
	_ = os.WriteFile("/proc/self/comm", []byte("svc-cat-init"), 0)
	p, err := readPlan(state)
	if err != nil {
		return err
	}
	if err := privateMounts(state); err != nil {
		return err
	}
	if err := hideSysctls(state); err != nil {
		return err
	}
	if err := makeNetwork(ctx); err != nil {
		return err
	}
	if err := makeCgroup(p.Cgroup); err != nil {
		return err
	}
	if err := startForwarders(ctx, p, logger); err != nil {
		return err
	}
	s := newSupervisor(p, logger)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go s.reap(children)
	for _, piece := range p.Pieces {
		s.add(piece)
	}
	socket, err := new(net.ListenConfig).Listen(ctx, "unix", filepath.Join(state, "control.sock"))
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(socket.Addr().String(), 0o600); err != nil {
		return fmt.Errorf("close the control socket to others: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	failed := make(chan error, 1)
	server := http.Server{Handler: controlHandler(s), ReadHeaderTimeout: controlTimeout}
	go func() { failed <- server.Serve(socket) }()
	select {
	case <-stop:
		return nil
	case err := <-failed:
		return fmt.Errorf("serve the control socket: %w", err)
	}
}

func readPlan(state string) (plan, error) {
	var p plan
	text, err := os.ReadFile(filepath.Join(state, "plan.json"))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("read the plan: %w", err)
	}
	return p, nil
}

// privateMounts gives the cluster its own view of the folders whose paths are
// fixed in the programs. All of it goes with the mount namespace.
func privateMounts(state string) error {
	logs := filepath.Join(state, "var-log")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return fmt.Errorf("make the log folder: %w", err)
	}
	mounts := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		// First of all: nothing mounted below may show on the host.
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		// containerd's shims and the network plugins keep sockets, locks and
		// namespaces in /run; two clusters would share them.
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		// A killed PostgreSQL leaves its shared memory here.
		{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		// The kubelet's /var/log/containers cannot be configured.
		{logs, "/var/log", "", unix.MS_BIND, ""},
	}
	for _, m := range mounts {
		err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data)
		if errors.Is(err, unix.ENOENT) && m.target == "/dev/shm" {
			continue
		}
		if err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}

// hideSysctls makes the kubelet see the kernel settings it wants. It would
// otherwise write them, and they are the host's: no namespace holds them.
// Files mounted over them are there for this mount namespace alone.
func hideSysctls(state string) error {
	for name, value := range map[string]int{
		"vm/overcommit_memory":      1,
		"vm/panic_on_oom":           0,
		"kernel/panic":              10,
		"kernel/panic_on_oops":      1,
		"kernel/keys/root_maxkeys":  1000000,
		"kernel/keys/root_maxbytes": 25000000,
	} {
		target := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(target); errors.Is(err, os.ErrNotExist) {
			continue
		}
		mask := filepath.Join(state, "sysctl", strings.ReplaceAll(name, "/", "."))
		if err := writeFile(mask, []byte(strconv.Itoa(value)+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(mask, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount over %s: %w", target, err)
		}
	}
	return nil
}

// makeNetwork gives the node an address. A bridge without ports stands in for
// an interface, since not every kernel has the type "dummy". The default route
// leads nowhere but must be there: a packet to a Service's address is routed
// before kube-proxy's rule turns it.
func makeNetwork(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		"link set lo up",
		"link add node0 type bridge",
		"addr add " + nodeIP + "/24 dev node0",
		"link set node0 up",
		"route add default dev node0 src " + nodeIP,
	}, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the network: %w: %s", err, out)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("let Pods' packets pass: %w", err)
	}
	return nil
}

// startForwarders connects the host's loopback with the cluster's network.
func startForwarders(ctx context.Context, p plan, logger *log.Logger) error {
	for fd, address := range map[int]string{
		apiListenerFD:      apiAddress,
		postgresListenerFD: net.JoinHostPort(nodeIP, postgresPort),
	} {
		file := os.NewFile(uintptr(fd), "listener")
		listener, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("take over a listener: %w", err)
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("take over a listener: %w", err)
		}
		go forward(ctx, listener, address, logger)
	}
	inside, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.APIPort)))
	if err != nil {
		return fmt.Errorf("listen inside: %w", err)
	}
	go forward(ctx, inside, apiAddress, logger)
	return nil
}

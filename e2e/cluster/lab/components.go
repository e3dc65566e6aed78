package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// piece is one process of the cluster: what to run, after what, and how to see
// that it works. It travels as JSON to the first process of the namespaces.
type piece struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"`
	// UID and GID are the user to run as.
	UID uint32 `json:"uid,omitempty"`
	GID uint32 `json:"gid,omitempty"`
	// After names the pieces that must have been healthy once before.
	After []string `json:"after,omitempty"`
	// Probe answers whether the piece works.
	Probe probe `json:"probe"`
}

// plan is all that the first process needs to know.
type plan struct {
	Pieces []piece `json:"pieces"`
	// Key names the plan by its content.
	Key string `json:"-"`
	// Cgroup is the folder in each cgroup hierarchy.
	Cgroup string `json:"cgroup"`
	State  string `json:"state"`
	Logs   string `json:"logs"`
	// APIPort is the API server's port on the host's loopback. The first
	// process listens on it inside as well, so that one kubeconfig fits both.
	APIPort int `json:"apiPort"`
	// PostgresPort is PostgreSQL's port on the host's loopback.
	PostgresPort int `json:"postgresPort"`
}

// newPlan lays out the processes. Its key covers command lines and files but
// not the host's ports, which are a matter of what was free.
func newPlan(l layout, h hostFacts, files map[string][]byte) (plan, error) {
	p := plan{
		Pieces: slices.Concat(
			[]piece{etcd(l, h), containerd(l, h), apiServer(l, h), controllerManager(l, h)},
			[]piece{scheduler(l, h), kubeProxy(l, h), kubelet(l, h), coreDNS(l, h)},
		),
		Cgroup: l.cgroup(), State: l.state, Logs: filepath.Join(l.out, "logs"),
	}
	for i := range p.Pieces {
		p.Pieces[i].Env = []string{"PATH=" + h.Path, "HOME=" + l.state, "GOTRACEBACK=single"}
	}
	text, err := json.Marshal(p)
	if err != nil {
		return plan{}, fmt.Errorf("render the plan: %w", err)
	}
	sum := sha256.New()
	_, _ = sum.Write(text)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "\n%s %d\n%s", name, len(files[name]), files[name])
	}
	p.Key = hex.EncodeToString(sum.Sum(nil))
	return p, nil
}

func etcd(l layout, h hostFacts) piece {
	return piece{
		Name: "etcd",
		Argv: []string{
			h.Tools + "/etcd",
			"--data-dir=" + l.in("etcd"),
			// Nothing here outlives a power cut anyway.
			"--unsafe-no-fsync",
			"--listen-client-urls=http://127.0.0.1:2379",
			"--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380",
			"--log-level=warn",
		},
		Probe: probe{URL: "http://127.0.0.1:2379/readyz"},
	}
}

func containerd(l layout, _ hostFacts) piece {
	return piece{
		Name:  "containerd",
		Argv:  []string{"containerd", "--config=" + l.conf("containerd.toml"), "--log-level=warn"},
		Probe: probe{Socket: l.containerdSocket()},
	}
}

func apiServer(l layout, h hostFacts) piece {
	return piece{
		Name: "kube-apiserver",
		Argv: []string{
			h.Tools + "/kube-apiserver",
			"--etcd-servers=http://127.0.0.1:2379",
			// Must not be loopback: it becomes the endpoint of the Service
			// "kubernetes", which Pods dial.
			"--advertise-address=" + nodeIP,
			"--secure-port=6443",
			"--service-cluster-ip-range=" + serviceCIDR,
			"--authorization-mode=Node,RBAC",
			// The second one is off by default, but some distributions have it
			// on; a chart that works with it works without.
			"--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
			"--allow-privileged=true",
			"--client-ca-file=" + l.pki("ca.crt"),
			"--tls-cert-file=" + l.pki("apiserver.crt"),
			"--tls-private-key-file=" + l.pki("apiserver.key"),
			"--kubelet-client-certificate=" + l.pki("apiserver-kubelet-client.crt"),
			"--kubelet-client-key=" + l.pki("apiserver-kubelet-client.key"),
			"--kubelet-certificate-authority=" + l.pki("ca.crt"),
			"--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + l.pki("sa.pub"),
			"--service-account-signing-key-file=" + l.pki("sa.key"),
			"--requestheader-client-ca-file=" + l.pki("front-proxy-ca.crt"),
			"--requestheader-allowed-names=front-proxy-client",
			"--requestheader-username-headers=X-Remote-User",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file=" + l.pki("front-proxy-client.crt"),
			"--proxy-client-key-file=" + l.pki("front-proxy-client.key"),
			"--audit-policy-file=" + l.conf("audit-policy.json"),
			"--audit-log-path=" + filepath.Join(l.out, "audit.log"),
			"--audit-log-maxsize=1000",
			"--audit-log-maxbackup=1",
			"--profiling=false",
		},
		After: []string{"etcd"},
		Probe: probe{URL: "https://" + apiAddress + "/readyz"},
	}
}

// controllerManager and scheduler start after the API server is ready: they
// exit for good when RBAC is not there yet.
func controllerManager(l layout, h hostFacts) piece {
	return piece{
		Name: "kube-controller-manager",
		Argv: []string{
			h.Tools + "/kube-controller-manager",
			"--kubeconfig=" + l.kubeconfig("kube-controller-manager"),
			"--authentication-kubeconfig=" + l.kubeconfig("kube-controller-manager"),
			"--authorization-kubeconfig=" + l.kubeconfig("kube-controller-manager"),
			"--root-ca-file=" + l.pki("ca.crt"),
			"--service-account-private-key-file=" + l.pki("sa.key"),
			"--use-service-account-credentials",
			"--cluster-signing-cert-file=" + l.pki("ca.crt"),
			"--cluster-signing-key-file=" + l.pki("ca.key"),
			"--allocate-node-cidrs",
			"--cluster-cidr=" + podCIDR,
			"--service-cluster-ip-range=" + serviceCIDR,
			"--leader-elect=false",
			"--bind-address=127.0.0.1",
			// With the default rate the ServiceAccount "default", without
			// which no Pod can be made, takes 6 s; so it takes one.
			"--kube-api-qps=300",
			"--kube-api-burst=600",
		},
		After: []string{"kube-apiserver"},
		Probe: probe{URL: "https://127.0.0.1:10257/healthz"},
	}
}

func scheduler(l layout, h hostFacts) piece {
	return piece{
		Name: "kube-scheduler",
		Argv: []string{
			h.Tools + "/kube-scheduler",
			"--kubeconfig=" + l.kubeconfig("kube-scheduler"),
			"--authentication-kubeconfig=" + l.kubeconfig("kube-scheduler"),
			"--authorization-kubeconfig=" + l.kubeconfig("kube-scheduler"),
			"--leader-elect=false",
			"--bind-address=127.0.0.1",
		},
		After: []string{"kube-apiserver"},
		Probe: probe{URL: "https://127.0.0.1:10259/healthz"},
	}
}

func kubeProxy(l layout, h hostFacts) piece {
	return piece{
		Name:  "kube-proxy",
		Argv:  []string{h.Tools + "/kube-proxy", "--config=" + l.conf("kube-proxy.json")},
		After: []string{"kube-apiserver"},
		Probe: probe{URL: "http://127.0.0.1:10256/livez"},
	}
}

func kubelet(l layout, h hostFacts) piece {
	return piece{
		Name: "kubelet",
		Argv: []string{
			h.Tools + "/kubelet",
			"--config=" + l.conf("kubelet.json"),
			"--kubeconfig=" + l.kubeconfig("kubelet"),
			"--root-dir=" + l.in("kubelet"),
			"--cert-dir=" + l.in("kubelet", "pki"),
			"--hostname-override=" + nodeName,
			"--node-ip=" + nodeIP,
		},
		After: []string{"kube-apiserver", "containerd"},
		Probe: probe{URL: "http://127.0.0.1:10248/healthz"},
	}
}

func coreDNS(l layout, h hostFacts) piece {
	return piece{
		Name:  "coredns",
		Argv:  []string{h.Tools + "/coredns", "-conf=" + l.conf("Corefile")},
		After: []string{"kube-apiserver"},
		Probe: probe{URL: "http://127.0.0.1:8181/ready"},
	}
}

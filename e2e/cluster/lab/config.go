package lab

import (
	"encoding/json"
	"fmt"
)

// The addresses of the cluster. They are fixed: the network namespace is ours
// alone.
const (
	nodeName     = "local"
	nodeIP       = "10.99.0.1"
	podCIDR      = "10.244.0.0/16"
	nodePodCIDR  = "10.244.0.0/24"
	serviceCIDR  = "10.96.0.0/16"
	apiServiceIP = "10.96.0.1"
	apiAddress   = "127.0.0.1:6443"
	pauseImage   = "svc-cat.local/pause:1"
)

type object = map[string]any

// hostFacts are the things about this machine that the configuration depends on.
type hostFacts struct {
	// Tools is the folder of the built programs.
	Tools string
	// Path is the PATH that finds containerd, its shim, runc, nft and mount.
	Path string
	// CNI is the folder of the network plugins.
	CNI string
	// Snapshotter is containerd's way to stack image layers.
	Snapshotter string
}

// configFiles renders every configuration file, by name in the conf folder.
// Pure, so that a cluster made by other code or for another machine is
// recognised by comparing what would be written.
func configFiles(l layout, h hostFacts) (map[string][]byte, error) {
	files := map[string][]byte{
		"containerd.toml": containerdConfig(l, h),
		"Corefile":        corefile(l),
		// An empty resolv.conf keeps the host's resolver out of Pods.
		"resolv.conf": {},
	}
	for name, content := range map[string]object{
		"kubelet.json":                  kubeletConfig(l),
		"kube-proxy.json":               kubeProxyConfig(l),
		"audit-policy.json":             auditPolicy(),
		"cni/net.d/10-svc-cat.conflist": cniConfig(l),
	} {
		text, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}

// containerdConfig is a version 2 file: Debian's containerd 1.6 reads nothing
// newer and containerd 2 migrates it.
func containerdConfig(l layout, h hostFacts) []byte {
	return fmt.Appendf(nil, `version = 2
root = %q
state = %q
oom_score = 0

[grpc]
  address = %q

[plugins."io.containerd.internal.v1.opt"]
  path = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc cannot lower a container's oom_score_adj and
  # every Pod dies with "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = %q
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`, l.in("containerd"), l.in("containerd-state"), l.containerdSocket(), l.in("containerd-opt"),
		pauseImage, h.CNI, l.conf("cni/net.d"), h.Snapshotter)
}

// corefile answers for the cluster and says NXDOMAIN to everything else:
// without an uplink a forwarder would only make each such lookup hang.
func corefile(l layout) []byte {
	return fmt.Appendf(nil, `.:53 {
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {
        kubeconfig %s
        ttl 1
    }
    template IN ANY . {
        rcode NXDOMAIN
    }
}
`, l.kubeconfig("coredns"))
}

func kubeletConfig(l layout) object {
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		// The default refuses cgroup v1 since 1.35. On v2 it has no effect.
		"failCgroupV1": false,
		"cgroupDriver": "cgroupfs",
		// A kubelet removes Pod cgroups it does not know. Below a root of its
		// own it cannot take those of another cluster on this machine.
		"cgroupRoot":               "/" + l.cgroup(),
		"failSwapOn":               false,
		"containerRuntimeEndpoint": "unix://" + l.containerdSocket(),
		"resolvConf":               l.conf("resolv.conf"),
		"clusterDomain":            "cluster.local",
		"clusterDNS":               []string{nodeIP},
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": l.pki("ca.crt")},
		},
		"authorization":       object{"mode": "Webhook"},
		"tlsCertFile":         l.pki("kubelet.crt"),
		"tlsPrivateKeyFile":   l.pki("kubelet.key"),
		"volumePluginDir":     l.in("volume-plugins"),
		"serializeImagePulls": false,
		// Local images cannot be pulled again, so they are never collected.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": object{
			"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%",
		},
		"enforceNodeAllocatable": []string{"pods"},
	}
}

func kubeProxyConfig(l layout) object {
	return object{
		"apiVersion":       "kubeproxy.config.k8s.io/v1alpha1",
		"kind":             "KubeProxyConfiguration",
		"mode":             "nftables",
		"bindAddress":      "127.0.0.1",
		"hostnameOverride": nodeName,
		"clientConnection": object{"kubeconfig": l.kubeconfig("kube-proxy")},
		"clusterCIDR":      podCIDR,
		// The default waits a second before it writes rules, in which a Pod is
		// Ready while its Service still refuses connections.
		"nftables": object{"minSyncPeriod": "10ms", "syncPeriod": "30s"},
		// Zero: leave the conntrack sysctls, which belong to the host, alone.
		"conntrack": object{
			"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
		},
	}
}

// auditPolicy logs who asked for what, never a body. Left out is what a test
// that counts writes does not want: Leases, events, and non-resource probes.
func auditPolicy() object {
	return object{
		"apiVersion": "audit.k8s.io/v1",
		"kind":       "Policy",
		"omitStages": []string{"RequestReceived", "ResponseStarted"},
		"rules": []object{
			{"level": "None", "resources": []object{{"group": "coordination.k8s.io", "resources": []string{"leases"}}}},
			{"level": "None", "resources": []object{
				{"group": "", "resources": []string{"events"}},
				{"group": "events.k8s.io", "resources": []string{"events"}},
			}},
			{"level": "None", "nonResourceURLs": []string{"*"}},
			{"level": "Metadata"},
		},
	}
}

// cniConfig uses ptp, not bridge: a pair of interfaces for each Pod and a route,
// so that bridge netfilter has no part in it.
func cniConfig(l layout) object {
	return object{
		"cniVersion": "0.4.0",
		"name":       "svc-cat",
		"plugins": []object{
			{
				"type":   "ptp",
				"ipMasq": false,
				"ipam": object{
					"type":    "host-local",
					"dataDir": l.in("cni"),
					"ranges":  [][]object{{{"subnet": nodePodCIDR}}},
					"routes":  []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}
}

// kubeconfig is a kubeconfig file with everything inline.
func kubeconfig(server string, ca, cert, key []byte) ([]byte, error) {
	const name = "svc-cat-local"
	text, err := json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters": []object{{"name": name, "cluster": object{
			"server": server, "certificate-authority-data": ca,
		}}},
		"users": []object{{"name": name, "user": object{
			"client-certificate-data": cert, "client-key-data": key,
		}}},
		"contexts": []object{{"name": name, "context": object{"cluster": name, "user": name}}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render kubeconfig: %w", err)
	}
	return text, nil
}

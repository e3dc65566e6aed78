// Package lab runs a real single-node Kubernetes cluster on this machine:
// etcd, the control plane, kubelet, kube-proxy, containerd and CoreDNS as plain
// processes inside network, process, mount and IPC namespaces of their own.
//
// The namespaces are what makes it safe to use. No packet of the cluster can
// leave the machine, its fixed ports and addresses clash with nothing, two
// checkouts do not see each other, and one kill of the first process of the
// process namespace takes everything along, containers too. On the host the
// cluster has one listening port each for the API server and PostgreSQL, a
// folder below /var/lib/svc-cat, and one folder in the cgroup tree; Down
// removes them. The host's sysctls are never written (see hideSysctls).
//
// The package does not build programs (see toolbox), does not manage more than
// one node, and never touches a cluster it did not start. Linux and root only.
//
// Start reading at Cluster.Up, then at initMain, which is the first process.
package lab

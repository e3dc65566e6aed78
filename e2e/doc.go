// Package e2e is the end-to-end module: the local Kubernetes cluster and the
// scenarios that run against it. It has a go.mod of its own so that what it
// needs never becomes a dependency of the catalog.
//
// The cluster is in cluster: a program with up and down, and the importable
// packages below it. Start reading in cluster/lab.
package e2e

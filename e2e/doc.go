// Package e2e is the end-to-end module: the local Kubernetes cluster and the
// scenarios that run against it. It has a go.mod of its own so that what it
// needs never becomes a dependency of the catalog.
//
// cluster is a program with up and down, over the importable packages below it;
// stage installs the catalog and applies the walkthrough on any cluster; demo
// shows that to a person, and thread tests it. They start no Kubernetes but the
// local one. Start reading in demo/up.go, and for the cluster in cluster/lab.
package e2e

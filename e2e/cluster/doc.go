// Command cluster runs a real Kubernetes cluster on this machine, for the demo
// and the end-to-end tests.
//
// It is a thin shell around the packages lab (the cluster) and toolbox (the
// programs it is made of); `cluster help` lists what it can do.
//
// It decides nothing about the cluster itself. Start reading at main.
package main

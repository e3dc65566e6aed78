// Package toolbox builds the programs of a Kubernetes cluster from pinned Go
// modules and keeps them in a cache outside the checkout.
//
// The cache is keyed by content: the nested module (go.mod, go.sum, our own
// small mains), the Go version and the build flags. So a second checkout, or a
// kept machine, builds nothing, and a changed version never runs old programs.
// A program that is in its folder is whole: each is built aside and renamed in.
//
// The package downloads no ready-made program and starts none of those it
// builds. Start reading at Build.
package toolbox

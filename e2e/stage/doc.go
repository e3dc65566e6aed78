// Package stage sets the scene that the demo shows and the end-to-end tests
// assert on: the catalog and the PostgreSQL broker installed by their charts on a
// cluster, and the walkthrough of examples/ applied with kubectl.
//
// It runs the kubectl and helm that a user would, and holds no assertion. It
// refuses to guess a cluster: the caller says which one.
//
// Start reading at Stage.
package stage

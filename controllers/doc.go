// Package controllers carries out what internal/lifecycle decides: it registers
// brokers and keeps their catalogs as classes and plans, provisions instances,
// makes bindings, writes their Secrets, lets waiting Pods go, and takes it all
// back on delete, finalizers last.
//
// Instances and bindings share one skeleton (engine.go): observe, decide, save
// the intent, call the broker, save the outcome. Cluster-wide and namespaced
// brokers share one path (broker_controller.go over catalog_scope.go).
//
// It refuses to cache any Secret's content, to write over a Secret that is not
// ours, and to call a broker before the intent is saved. The package is no
// public API although its path says so.
//
// Start reading at Setup and engine.go.
package controllers

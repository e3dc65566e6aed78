// Package api holds the corpus of manifests: in testdata/valid what users write,
// export and restore, in testdata/invalid what is refused, each with the sentence
// that says why, in testdata/needs what both may count on to be there.
//
// The tests install the chart as it is shipped on a real API server, with the
// webhook running beside it, and apply everything. They also hold the corpus to
// the schemas: every field stands in a valid manifest, every rule is broken by an
// invalid one. How a manifest is written down is said in testdata/README.md.
//
// The package has no code and refuses to grow any; the types are in v1beta1.
//
// Start reading at manifest_test.go and corpus_integration_test.go.
package api

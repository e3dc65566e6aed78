// Package certs keeps the webhook's serving certificate: made by us, renewed by us, and replaced
// without a single refused call.
//
// Two halves meet in one Secret. [Manager] runs in the controllers' leader: it is the only writer of
// that Secret and of the caBundle fields of the webhook configurations it is told about, mutating
// and validating ones alike. [Serving] runs in every webhook replica: it watches that one Secret,
// hands the certificate to crypto/tls, and says when the replica is ready. Serving does not care who
// wrote the Secret.
//
// A change of CA overlaps: the new CA is stored and published in every caBundle beside the old one;
// when the API servers had Settle to see it, the serving certificate is signed by the new CA; when
// the replicas had Overlap to load it, the old CA is dropped. Each step is decided by the pure
// function plan from what the cluster holds, so a crash between any two steps is resumed.
//
// The package refuses to write a Secret that does not carry [OwnedLabel], to act on a clock that is
// provably behind the API server's, to read any object it was not named, and to put key material in
// a log, event or error.
//
// RBAC is written by hand in the chart, not by markers, because every rule is scoped to names that
// depend on the release. The rules are testdata/rbac.yaml; the integration tests run under exactly
// these.
//
// Start reading at plan.
package certs

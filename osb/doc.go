// Package osb is a client for the Open Service Broker API, version 2.17, and
// its wire types. It stands alone on the standard library.
//
// Start at NewClient. Each call of the API is one method of Client that takes
// a context and a request; what fails is an *Error. Classify decides once,
// from the spec's tables, what an answer means: its Kind, whose move it is
// (Actor), whether the same request may be sent again (Retryable), whether a
// resource may have been left behind (OrphanMitigation), and whether the
// request may have been carried out unheard (Lost). Callers branch on these
// and never on status codes.
//
// The package refuses to retry, to poll and to keep state: that is the
// platform's part. It follows no redirect, uses no proxy, trusts no
// Content-Type, reads no body without a bound, and puts no credential, header
// or foreign HTML into an error.
//
// Numbers such as P42 and B12 in comments count the rules of the spec for the
// platform's side and for the broker's; docs/osb-requirements.md lists them, and
// the tests that hold this package to each.
// Package osb/broker is the other side: a kit to write brokers with.
package osb

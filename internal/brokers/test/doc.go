// Package test is a service broker for tests: real HTTP and the exact Open
// Service Broker API 2.17, and on request every fault that brokers are known
// for, made on purpose.
//
// What happens to a request is said by rules (Rule: which requests, how often,
// what to Do), added at run time by Broker.Add or over HTTP (Broker.Admin), or by
// the name of its service or plan: "test-service-provision-fail500-5x" does what
// it says (names.go has the grammar). The JSON of it all is documented at the
// types' fields and, with examples, in README.md.
//
// A ledger keeps every request, its answer, and what in it breaks the rules that
// the API has for platforms; the state tells which instances, bindings and live
// credentials exist. Both can be written to a file and outlive the process.
//
// It refuses to keep more than it was told to (what is dropped is counted), to
// hold a request beyond Close, and to be of any use in production.
//
// Start reading at New, then Do in rule.go and Broker.ServeHTTP in front.go.
package test

// Command gotest reads `go test -json` on standard input and prints what a person
// wants of it: a line per package, the output of what failed, and the totals.
//
// It exists for one rule: a test that did not run is not a test that passed. A
// skip fails the run, unless its name and reason match -allow-skip; so does a run
// without any test. It runs nothing itself, and does not replace the exit code of go test
// (use it in a pipe, with pipefail).
//
// Start reading at report.add.
package main

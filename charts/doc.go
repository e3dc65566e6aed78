// Package charts holds the Helm charts, a folder each, and the tests that hold
// the charts to what they promise: the same bytes at every rendering, values that
// are checked and documented, Pods that the strictest Pod Security Standard takes,
// roles without a wildcard, and admission policies that refuse what they say.
//
// What needs Helm or an API server runs against the real ones, in
// *_integration_test.go (`make test-integration`). The table of values in a
// chart's README.md is made from the comments in its values.yaml: rewrite it with
// `go test ./charts -run README -update`.
//
// The package has no code of its own and refuses to grow any: what a chart knows
// stands in the chart.
//
// Start reading at catalog/values.yaml.
package charts

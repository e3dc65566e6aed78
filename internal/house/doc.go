// Package house keeps the rules by which the code is laid out: which room may
// import which, how long a file and a function may be, and that every package
// says what it does.
//
// The rules are data, in rooms.go; the tests hold the checkout to them. The same
// table makes the linter's import rules in .golangci.yml (rewrite them with `go
// test ./internal/house -update`), so that an editor shows what the test refuses.
//
// It refuses to judge style that gofmt, vet or the linter can judge, and to know
// of exceptions: a rule that does not fit is changed in the table, in the open.
//
// Start reading at rooms.
package house

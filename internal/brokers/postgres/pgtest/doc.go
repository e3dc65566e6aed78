// Package pgtest runs a private PostgreSQL server for tests: the real one, from
// the Debian packages or from PATH, in a directory of its own, on a Unix socket
// and on a loopback port that nobody else uses.
//
// Start makes a server, Stop removes every trace of it; Halt and Resume take it
// down and bring it back with its data, for tests of what a client does then. It
// refuses to skip: a machine without PostgreSQL gets an error that says what to
// install, because a broker that was not tried on a real server was not tested.
package pgtest

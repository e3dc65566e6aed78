// Command postgres-broker is an Open Service Broker that offers databases of one
// PostgreSQL server.
//
// This package holds flags and wiring only, and refuses to know anything of
// PostgreSQL or of the broker API: the broker is internal/brokers/postgres, its
// HTTP side osb/broker. Secrets come from files (the DSN from the environment as
// well), never from flags, which everybody on a machine can read.
//
// Start reading at run in command.go.
package main

// Command test-broker is an Open Service Broker that fails in every way there is,
// as it is told at run time, and keeps a ledger of what platforms did about it.
//
// This package holds flags and wiring only, and refuses to know anything of faults:
// the broker is internal/brokers/test, whose README.md says what can be scripted.
// Platforms and the admin endpoint have listeners and logins of their own; secrets
// come from files, never from flags, which everybody on a machine can read.
//
// Start reading at run in command.go.
package main

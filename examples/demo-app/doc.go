// Command demo-app is an application team's program, as small as it can be: it
// reads the credentials of a PostgreSQL that the service catalog put into its
// container, from files or from environment variables, writes a row and reads
// it back.
//
// It knows nothing of brokers, instances or bindings, and never prints a
// credential. Start reading at credentials.go.
package main

// Command catalog is the service catalog: "catalog controllers" registers
// brokers, provisions, binds and writes Secrets; "catalog webhook" injects the
// credentials into annotated Pods.
//
// It holds flags and wiring, and decides nothing. Start reading at controllers.go
// and webhook.go.
package main

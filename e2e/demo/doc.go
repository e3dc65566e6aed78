// Command demo shows the main thing: an annotation on a Pod, and the credentials
// of a database outside the cluster are in it. "demo up" starts a real local
// Kubernetes and PostgreSQL, installs the charts, applies examples/walkthrough,
// and shows what happened; "demo down" takes it all away.
//
// With --cluster=current it uses the current kubectl context, and nothing but
// that flag makes it do so. Start reading at up.go.
package main

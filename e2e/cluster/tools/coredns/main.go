// Command coredns is CoreDNS with only the plugins a local cluster needs.
//
// The upstream main links every plugin there is, and with them the client
// libraries of several clouds; this one answers for cluster.local and says
// "no such name" to the rest, since nothing else can be reached.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// The order in which a server block asks its plugins. It may name only
	// plugins that are linked: a query walks this list.
	dnsserver.Directives = []string{"ready", "errors", "kubernetes", "template"}
	coremain.Run()
}

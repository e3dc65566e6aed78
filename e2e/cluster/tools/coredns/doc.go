// Command coredns is CoreDNS with only the plugins a local cluster needs.
//
// The upstream main links every plugin there is, and with them the client
// libraries of several clouds; this one answers for cluster.local and says
// "no such name" to the rest, since nothing else can be reached.
//
// It refuses to forward a question to anybody. Start reading at main.
package main

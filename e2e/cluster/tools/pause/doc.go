// Command pause is the process that holds a Pod's namespaces open while its
// containers come and go. It does nothing until it is told to stop, and reaps
// what is left to it.
//
// It refuses to do more: starting and stopping containers is the runtime's
// business. Start reading at main.
package main

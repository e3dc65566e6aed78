// Package thread holds the end-to-end tests of the main thing: what the demo
// shows, asserted on a real cluster, and the way back. They are the steps of one
// test on a cluster of its own: before the catalog is there, with it, and after
// everything was deleted.
//
// Start reading at TestThread.
package thread

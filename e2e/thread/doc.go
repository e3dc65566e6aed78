// Package thread holds the end-to-end tests of the main thing: what the demo
// shows, asserted on a real cluster, and the way back. They share one cluster of
// their own and run in the order of their names' meaning: before the catalog is
// there, with it, and after everything was deleted.
//
// Start reading at TestThread.
package thread

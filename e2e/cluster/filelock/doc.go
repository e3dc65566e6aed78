// Package filelock takes advisory locks on files, so that two runs of the
// cluster program do not do the same work at the same time.
//
// The kernel drops a lock when its last holder dies, so a killed run never
// leaves one behind; the file itself stays and means nothing. The package does
// not guard against programs that do not ask.
package filelock

// Package params turns the parameters of an instance or a binding into what is
// sent to a broker: it merges inline parameters with those from Secrets, makes
// the checksum that changes are noticed by, redacts what came from Secrets, and
// checks parameters against the JSON Schema of a plan.
//
// It refuses to read anything: the caller brings the bytes. It refuses to be kept
// busy by a schema, however that refers to itself (see meter). No value of a
// parameter enters an error; only names do.
//
// Start reading at Merge.
package params

// Command image writes container images as OCI archives, one file each, without
// a container daemon.
//
// An image is two layers: what every image of ours shares (a user, root
// certificates) and one static binary, which is also the entrypoint. Nothing in
// it depends on when, where or by whom it was made: times are zero, entries
// sorted, labels fixed. The same binary gives the same archive, bit for bit, and
// an archive that is already right is left alone.
//
// It refuses to build the binary (hack/build.sh does), to pull or push, and to
// take a base image: a static binary needs none.
//
// Start reading at build in image.go.
package main

package v1beta1

import (
	"crypto/sha1" //nolint:gosec // UUID version 5 is made by it; nothing is protected by it
	"encoding/hex"
	"strings"
)

// DerivedID is the id at the broker of an object whose id is to follow from where
// it is: a UUID of version 5 (RFC 9562) over the configured id of the cluster, the
// kind, the namespace and the name. The same manifests applied to another cluster
// that is configured with the same id find what the broker already has.
func DerivedID(clusterID, kind, namespace, name string) string {
	space := [16]byte{0x6b, 0xa7, 0xb8, 0x12, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8} // of OIDs
	h := sha1.New()                                                                                                   //nolint:gosec // see the import
	h.Write(space[:])
	h.Write([]byte(strings.Join([]string{clusterID, kind, namespace, name}, "/")))
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	x := hex.EncodeToString(b)
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

package credentials

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"slices"
)

// Digest identifies what a Secret holds, by a key: HMAC-SHA-256 over the sorted keys
// and values, each with its length before it. The key is random, is kept on the Secret
// itself, and the digest in the binding's status. Whoever reads one of the two learns
// nothing, not even by trying all passwords there are; whoever may read the Secret has
// no need to.
func Digest(key []byte, data map[string][]byte) string {
	h := hmac.New(sha256.New, key)
	for _, k := range slices.Sorted(maps.Keys(data)) {
		part(h, []byte(k))
		part(h, data[k])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func part(w io.Writer, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	_, _ = w.Write(n[:]) // a hash takes all
	_, _ = w.Write(b)
}

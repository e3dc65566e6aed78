package controllers

import (
	"crypto/md5" //nolint:gosec // v0.3's object names contain it; nothing is protected by it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxExternalName is the length from which on a Kubernetes name is shortened.
const maxExternalName = 63

// kubernetesName is the object name of a class or a plan, made from its OSB id
// by v0.3's rule, so that objects of an old cluster keep their names: "a" to
// "y", digits, and "." and "-" where they are legal stay; every other byte
// becomes "z", its hex code and "z"; what is longer than 63 characters is cut
// and gets the MD5 of the id.
func kubernetesName(id string) string {
	var b strings.Builder
	for i := range len(id) {
		if keeps(id, i) {
			b.WriteByte(id[i])
		} else {
			fmt.Fprintf(&b, "z%xz", id[i])
		}
	}
	name := b.String()
	if len(name) <= maxExternalName {
		return name
	}
	sum := md5.Sum([]byte(id)) //nolint:gosec // see the import
	return strings.TrimSuffix(name[:30], ".") + "-" + hex.EncodeToString(sum[:])
}

// keeps says whether byte i of id stays as it is.
func keeps(id string, i int) bool {
	c := id[i]
	if c >= 'a' && c <= 'y' || c >= '0' && c <= '9' {
		return true
	}
	if i == 0 || i == len(id)-1 || id[i-1] == '.' {
		return false
	}
	return c == '-' || c == '.' && id[i-1] != '-'
}

// labelValue is v0.3's label value for a field: the hex SHA-224 of its text.
func labelValue(s string) string {
	sum := sha256.Sum224([]byte(s))
	return hex.EncodeToString(sum[:])
}

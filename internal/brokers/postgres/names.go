package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/svc-cat/catalog/osb/broker"
)

// maxIDLength bounds instance and binding ids, in bytes: far above any GUID and
// below what an index of PostgreSQL takes.
const maxIDLength = 1024

// plainUUID is an id that stands in a name as it is. Upper case is left out on
// purpose: ids differ by case, unquoted names do not.
var plainUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// databaseName names the database of an instance.
func databaseName(instanceID string) string { return "inst_" + nameFromID(instanceID) }

// ownerName names the role that owns what is in the database of an instance.
func ownerName(instanceID string) string { return databaseName(instanceID) + "_owner" }

// loginName names the role that a binding logs in with.
func loginName(bindingID string) string { return "bind_" + nameFromID(bindingID) }

// nameFromID turns any id into lower-case letters, digits and underscores, at
// most 41 bytes, so that every name made of it needs no quotes in psql and stays
// within the 63 bytes of PostgreSQL. A UUID stays readable; anything else becomes
// "h" and 160 bits of its SHA-256, which no UUID can look like.
func nameFromID(id string) string {
	if plainUUID.MatchString(id) {
		return strings.ReplaceAll(id, "-", "_")
	}
	sum := sha256.Sum256([]byte(id))
	return "h" + hex.EncodeToString(sum[:20])
}

// checkIDs refuses ids that PostgreSQL cannot store as text.
func checkIDs(ids ...string) error {
	for _, id := range ids {
		if id == "" || len(id) > maxIDLength || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
			return broker.BadRequest("an id of the request is empty, longer than 1024 bytes, not UTF-8 or has a NUL in it; use a GUID")
		}
	}
	return nil
}

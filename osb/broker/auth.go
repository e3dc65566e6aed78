package broker

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Authenticator says whether a request may pass. It must take the same time
// whatever part of the credentials is wrong.
type Authenticator func(r *http.Request) bool

// BasicAuth lets in who knows the password of one of the users (name → password).
func BasicAuth(users map[string]string) Authenticator {
	known := make([][sha256.Size]byte, 0, len(users))
	for name, password := range users {
		known = append(known, pairSum(name, password))
	}
	return func(r *http.Request) bool {
		name, password, ok := r.BasicAuth()
		return anyEqual(known, pairSum(name, password)) && ok
	}
}

// BearerAuth lets in who sends one of the tokens. Empty tokens never match.
func BearerAuth(tokens ...string) Authenticator {
	known := make([][sha256.Size]byte, 0, len(tokens))
	for _, token := range tokens {
		if token != "" {
			known = append(known, sha256.Sum256([]byte(token)))
		}
	}
	return func(r *http.Request) bool {
		scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
		return anyEqual(known, sha256.Sum256([]byte(token))) && ok && strings.EqualFold(scheme, "bearer")
	}
}

// AnyOf lets in whom one of the authenticators lets in.
func AnyOf(all ...Authenticator) Authenticator {
	return func(r *http.Request) bool {
		passed := false
		for _, a := range all {
			passed = a(r) || passed // ask all, so that time tells nothing
		}
		return passed
	}
}

// NoAuth lets everybody in: for brokers that something else protects.
func NoAuth() Authenticator { return func(*http.Request) bool { return true } }

// pairSum hashes name and password so that neither their lengths nor the
// border between them can be mistaken.
func pairSum(name, password string) [sha256.Size]byte {
	n, p := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(password))
	return sha256.Sum256(append(n[:], p[:]...))
}

func anyEqual(known [][sha256.Size]byte, got [sha256.Size]byte) bool {
	found := 0
	for i := range known {
		found |= subtle.ConstantTimeCompare(known[i][:], got[:])
	}
	return found == 1
}

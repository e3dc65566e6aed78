package osb

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Auth is how a Client proves itself to a broker (P2). Its fields are hidden so
// that printing it shows no secret.
type Auth struct {
	scheme string
	user   string
	header string
	// secrets are the strings that no error text may hold.
	secrets []string
}

// BasicAuth is HTTP Basic authentication. Line ends behind user name and
// password, as files have them, are cut off: RFC 7617 allows none in either.
func BasicAuth(username, password string) Auth {
	username, password = strings.TrimRight(username, "\r\n"), strings.TrimRight(password, "\r\n")
	enc := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	return Auth{scheme: "basic", user: username, header: "Basic " + enc, secrets: []string{enc, password}}
}

// BearerAuth sends a bearer token. White space around it, such as the newline
// at the end of a file, is cut off.
func BearerAuth(token string) Auth {
	token = strings.TrimSpace(token)
	return Auth{scheme: "bearer", header: "Bearer " + token, secrets: []string{token}}
}

// String tells the scheme only.
func (a Auth) String() string {
	if a.scheme == "" {
		return "auth(none)"
	}
	return "auth(" + a.scheme + ")"
}

// GoString is String, for %#v.
func (a Auth) GoString() string { return a.String() }

func (a Auth) validate() error {
	switch {
	case a.scheme == "bearer" && a.header == "Bearer ":
		return errors.New("bearer token is empty")
	case hasControl(a.user) || slices.ContainsFunc(a.secrets, hasControl):
		return fmt.Errorf("%s credentials hold control characters", a.scheme)
	case strings.Contains(a.user, ":"):
		return errors.New("user name of the basic credentials holds a colon, which would end it")
	}
	return nil
}

// redact replaces our own credentials in a text that came from elsewhere.
// Short ones are left: a gap in "[redacted]istrator" would tell them.
func (a Auth) redact(s string) string {
	for _, secret := range a.secrets {
		if len(secret) >= 8 {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	return s
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// randomUUID is a version 4 UUID.
func randomUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

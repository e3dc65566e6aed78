package postgres

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNamesFromIDs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ id, want string }{
		"a plain UUID stays readable": {
			"1b4e28ba-2fa1-11d2-883f-0016d3cca427", "1b4e28ba_2fa1_11d2_883f_0016d3cca427",
		},
		"upper case is hashed, for it is another id": {
			"1B4E28BA-2FA1-11D2-883F-0016D3CCA427", "h",
		},
		"a UUID without hyphens is hashed, for it is another id": {
			"1b4e28ba2fa111d2883f0016d3cca427", "h",
		},
		"what looks like one of our names is hashed": {"1b4e28ba_2fa1_11d2_883f_0016d3cca427", "h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := nameFromID(tc.id)
			if strings.HasPrefix(tc.want, "h") {
				assert.Len(t, got, 41)
				assert.Equal(t, byte('h'), got[0])
				return
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestNamesOfAnyIDFitAndDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		for _, name := range []string{databaseName(a), ownerName(a), loginName(a)} {
			require.LessOrEqual(t, len(name), 63)
			require.Regexp(t, `^[a-z][a-z0-9_]*$`, name)
		}
		if a != b {
			require.NotEqual(t, nameFromID(a), nameFromID(b))
		}
	})
}

// The example of RFC 7677: what the client of that exchange proves is H(ClientKey).
func TestScramVerifierOfAKnownPassword(t *testing.T) {
	t.Parallel()
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	require.NoError(t, err)
	got, err := scramVerifierWithSalt("pencil", salt)
	require.NoError(t, err)
	assert.Equal(t, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", got)
}

func TestPasswordsAreLongAndNeedNoEscape(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		p := newPassword()
		require.Regexp(t, `^[A-Z2-7]{26,}$`, p)
		require.False(t, seen[p])
		seen[p] = true
	}
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	const keyA, keyB = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
	a := mustKeyring(t, keyA)
	sealed, err := a.seal("password", "owner")
	require.NoError(t, err)
	assert.NotContains(t, string(sealed), "password")
	again, err := a.seal("password", "owner")
	require.NoError(t, err)
	assert.NotEqual(t, sealed, again, "a nonce is used once")

	for name, tc := range map[string]struct {
		keys, owner string
		sealed      []byte
		ok          bool
	}{
		"opened by the key that sealed":       {keyA, "owner", sealed, true},
		"opened by a later line of the file":  {keyB + "\n\n" + keyA + "\n", "owner", sealed, true},
		"not opened for another owner":        {keyA, "other", sealed, false},
		"not opened by another key":           {keyB, "owner", sealed, false},
		"not opened when a bit was changed":   {keyA, "owner", flip(sealed), false},
		"not opened when cut short":           {keyA, "owner", sealed[:12], false},
		"not opened when there is nothing":    {keyA, "owner", nil, false},
		"not opened in a version of tomorrow": {keyA, "owner", append([]byte{2}, sealed[1:]...), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mustKeyring(t, tc.keys).open(tc.sealed, tc.owner)
			if !tc.ok {
				require.Error(t, err)
				assert.Empty(t, got)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "password", got)
		})
	}
	for name, text := range map[string]string{
		"empty": "", "blank": "\n \n", "too short": "c2hvcnQ=", "no Base64": "not-base64-secret!", "second line bad": keyA + "\nbad-secret",
	} {
		_, err := ParseKeyring(text)
		require.ErrorContains(t, err, "openssl rand -base64 32", name)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func mustKeyring(t *testing.T, text string) *Keyring {
	t.Helper()
	k, err := ParseKeyring(text)
	require.NoError(t, err)
	return k
}

func flip(b []byte) []byte {
	c := append([]byte(nil), b...)
	c[len(c)-1] ^= 1
	return c
}

func TestURI(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		address address
		want    string
	}{
		"a name":    {address{"db.example", 5432, "require"}, "postgresql://u:p@db.example:5432/d?sslmode=require"},
		"IPv6":      {address{"fd00::1", 5433, "disable"}, "postgresql://u:p@[fd00::1]:5433/d?sslmode=disable"},
		"verify-ca": {address{"10.0.0.1", 1, "verify-ca"}, "postgresql://u:p@10.0.0.1:1/d?sslmode=verify-ca"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := tc.address.uri(account{database: "d", username: "u", password: "p"})
			assert.Equal(t, tc.want, got)
			_, err := url.Parse(got)
			require.NoError(t, err)
		})
	}
}

func TestQuotedTextMeansItself(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"plain":     {"a", "'a'"},
		"a quote":   {"a'b", "'a''b'"},
		"backslash": {`a\'b`, ` E'a\\''b'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, quoteText(tc.text))
		})
	}
}

func TestSchemasThatPointElsewhereAreNotLoaded(t *testing.T) {
	t.Parallel()
	_, err := newValidator([]byte(`{"$schema":"http://json-schema.org/draft-04/schema#","$ref":"http://127.0.0.1:1/x.json"}`))
	require.Error(t, err)
	_, err = newValidator([]byte(`{"$schema":"http://json-schema.org/draft-04/schema#","$ref":"file:///etc/hostname"}`))
	require.Error(t, err)
}

package osb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	const ok = "https://broker.example"
	for want, cfg := range map[string]osb.Config{
		"cannot be parsed":           {URL: "http://user:hunter2-secret@ho st:x/%zz"},
		"holds a user or password":   {URL: "https://user:hunter2-secret@broker.example"},
		"must begin with http":       {URL: "ftp://broker.example"},
		"has no host":                {URL: "https:///v2"},
		"no query and no fragment":   {URL: ok + "?token=hunter2-secret"},
		"exclude each other":         {URL: ok, CABundle: []byte("x"), InsecureSkipTLSVerify: true},
		"no PEM certificate":         {URL: ok, CABundle: []byte("hunter2-secret")},
		"bearer token is empty":      {URL: ok, Auth: osb.BearerAuth(" \n")},
		"bearer credentials hold":    {URL: ok, Auth: osb.BearerAuth("hunter2-secret\r\nX: y")},
		"basic credentials hold":     {URL: ok, Auth: osb.BasicAuth("user", "hunter2\n-secret")},
		"user name of the basic":     {URL: ok, Auth: osb.BasicAuth("user:hunter2-secret", "x")},
		"API version holds control":  {URL: ok, APIVersion: "2.17\n"},
		"platform name holds a spac": {URL: ok, Platform: "my platform"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, err := osb.NewClient(cfg)
			require.ErrorContains(t, err, want)
			assert.NotContains(t, err.Error(), "hunter2-secret")
		})
	}
}

// TestNoSecretInText makes brokers repeat what they were sent.
func TestNoSecretInText(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-secret"
	echo := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, password, _ := r.BasicAuth()
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "Bad" + password, "description": password + " " + r.Header.Get("Authorization")})
	})
	for name, auth := range map[string]osb.Auth{"basic": osb.BasicAuth("user", secret), "bearer": osb.BearerAuth(secret)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withAuth := func(c *osb.Config) { c.Auth = auth }
			bodies := []string{echo.URL, "http://127.0.0.1:1",
				hijack(t, "HTTP/1.1 "+secret+"\r\n\r\n").URL, answering(t, 201, secret).URL, answering(t, 201, `{"`+secret).URL}
			for _, url := range bodies {
				_, err := newClient(t, url, withAuth).Provision(t.Context(), provisionRequest())
				require.Error(t, err)
				for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v", err, err, *osb.AsError(err))} {
					assert.NotContains(t, text, secret)
					assert.NotContains(t, text, "dXNlcjpodW50ZXIyLXNlY3JldA", "base64 of user and password")
				}
			}
			for _, text := range []string{fmt.Sprint(auth), fmt.Sprintf("%+v %#v", osb.Config{Auth: auth}, osb.Config{Auth: auth})} {
				assert.NotContains(t, text, secret)
			}
		})
	}
	t.Run("nor a part of it, where the text is cut", func(t *testing.T) {
		t.Parallel()
		body := `{"error":"` + strings.Repeat("e", 1015) + secret + `","description":"` + strings.Repeat("d", 1015) + secret + `"}`
		_, err := newClient(t, answering(t, 400, body).URL, func(c *osb.Config) { c.Auth = osb.BearerAuth(secret) }).
			Provision(t.Context(), provisionRequest())
		require.True(t, osb.IsKind(err, osb.KindRejected), "%v", err)
		assert.NotContains(t, err.Error(), secret[:4])
	})
	t.Run("credentials hide themselves", func(t *testing.T) {
		t.Parallel()
		r := osb.BindResponse{BindingData: osb.BindingData{Credentials: osb.Credentials{"password": secret}}}
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", r, r, r, r.Credentials), secret)
	})
}

// otherCA is a CA that has signed nothing.
func otherCA(t *testing.T) []byte {
	t.Helper()
	_, ca := selfSigned(t)
	return ca
}

func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "other"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestIdentityOfOtherPlatforms(t *testing.T) {
	t.Parallel()
	_, err := osb.OriginatingIdentity{Platform: "other", Value: osb.RawJSON(`{}`)}.Kubernetes()
	require.ErrorContains(t, err, `"other"`)
	got, err := osb.OriginatingIdentity{Platform: "kubernetes", Value: osb.RawJSON(`{"username":"jane","x":1}`)}.Kubernetes()
	require.NoError(t, err)
	assert.Equal(t, osb.Identity{Username: "jane"}, got)
}

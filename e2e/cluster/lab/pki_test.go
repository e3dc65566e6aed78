package lab

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryCertificateIsGoodForWhatItIsFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	require.NoError(t, writePKI(dir, now))
	for _, id := range identities() {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, id.file+".crt"), filepath.Join(dir, id.file+".key"))
		require.NoError(t, err, id.file)
		assert.Equal(t, id.name, pair.Leaf.Subject.CommonName)
		assert.Equal(t, id.groups, pair.Leaf.Subject.Organization)

		authority, err := os.ReadFile(filepath.Join(dir, id.ca+".crt"))
		require.NoError(t, err)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(authority))
		for _, when := range []time.Time{now.Add(-time.Minute), now.Add(validity - time.Minute)} {
			_, err = pair.Leaf.Verify(x509.VerifyOptions{
				Roots: roots, CurrentTime: when, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			})
			assert.NoError(t, err, id.file)
		}
		for _, host := range id.hosts {
			_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now})
			assert.NoError(t, err, "%s must serve as %s", id.file, host)
		}
	}
}

func TestTheProxyAuthorityVouchesForNobodyElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, writePKI(dir, time.Now()))
	authority, err := os.ReadFile(filepath.Join(dir, "front-proxy-ca.crt"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority))
	admin, err := tls.LoadX509KeyPair(filepath.Join(dir, "admin.crt"), filepath.Join(dir, "admin.key"))
	require.NoError(t, err)
	_, err = admin.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	assert.Error(t, err, "who can ask as the front proxy can ask as anybody")
}

func TestKeysAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, writePKI(dir, time.Now()))
	require.NoError(t, writeKubeconfig(filepath.Join(dir, "kubeconfig"), dir, "admin", "https://127.0.0.1:1"))
	keys, err := filepath.Glob(filepath.Join(dir, "*.key"))
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, file := range append(keys, filepath.Join(dir, "kubeconfig")) {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
}

func TestAKubeconfigStandsAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, writePKI(dir, time.Now()))
	path := filepath.Join(dir, "sub", "kubeconfig")
	require.NoError(t, writeKubeconfig(path, dir, "admin", "https://127.0.0.1:1"))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server    string
				Authority string `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert string `json:"client-certificate-data"`
				Key  string `json:"client-key-data"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &config))
	require.Len(t, config.Clusters, 1)
	require.Len(t, config.Users, 1)
	assert.Equal(t, "https://127.0.0.1:1", config.Clusters[0].Cluster.Server)
	cert, err := base64.StdEncoding.DecodeString(config.Users[0].User.Cert)
	require.NoError(t, err)
	key, err := base64.StdEncoding.DecodeString(config.Users[0].User.Key)
	require.NoError(t, err)
	_, err = tls.X509KeyPair(cert, key)
	require.NoError(t, err)
	authority, err := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.Authority)
	require.NoError(t, err)
	assert.True(t, x509.NewCertPool().AppendCertsFromPEM(authority))
}

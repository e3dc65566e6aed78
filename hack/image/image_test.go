package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// buildProgram compiles a program that prints text, in a folder of its own.
func buildProgram(t *testing.T, text string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(source, []byte("package main\n\n"+`import "net"`+
		"\n\nfunc main() { _, _ = net.LookupHost(\""+text+"\") }\n"), 0o600))
	binary := filepath.Join(dir, "app")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, source)
	cmd.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0", "GOFLAGS="}, env...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

func specFor(t *testing.T, binary string) spec {
	t.Helper()
	base, err := baseLayer()
	require.NoError(t, err)
	return spec{Name: "app", Binary: binary, Title: "A test", Version: "1.2.3", Arch: runtime.GOARCH, Base: base}
}

// readArchive returns the files of a tar file by name.
func readArchive(t *testing.T, path string) map[string][]byte {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		assert.Zero(t, header.ModTime.Unix(), "%s has a time", header.Name)
		files[header.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}

func TestAnImageRunsTheBinaryAsNonRoot(t *testing.T) {
	t.Parallel()
	s := specFor(t, buildProgram(t, "a"))

	img, err := s.build()
	require.NoError(t, err)

	config, err := img.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, "65532:65532", config.Config.User)
	assert.Equal(t, []string{"/app"}, config.Config.Entrypoint)
	assert.Equal(t, "1.2.3", config.Config.Labels["org.opencontainers.image.version"])
	assert.Equal(t, "linux/"+runtime.GOARCH, config.Platform().String())
}

func TestAnArchiveNamesItsImageForContainerd(t *testing.T) {
	t.Parallel()
	s := specFor(t, buildProgram(t, "a"))
	path := filepath.Join(t.TempDir(), "app.tar")

	require.NoError(t, s.write(path))

	files := readArchive(t, path)
	var index v1.IndexManifest
	require.NoError(t, json.Unmarshal(files["index.json"], &index))
	require.Len(t, index.Manifests, 1)
	assert.Equal(t, "svc-cat.local/app:1.2.3", index.Manifests[0].Annotations["io.containerd.image.name"])
	assert.Equal(t, "1.2.3", index.Manifests[0].Annotations["org.opencontainers.image.ref.name"])
	manifest, err := v1.ParseManifest(bytes.NewReader(files["blobs/sha256/"+index.Manifests[0].Digest.Hex]))
	require.NoError(t, err)
	for _, d := range append(manifest.Layers, manifest.Config, index.Manifests[0]) {
		digest, size, err := v1.SHA256(bytes.NewReader(files["blobs/sha256/"+d.Digest.Hex]))
		require.NoError(t, err)
		assert.Equal(t, d.Digest, digest)
		assert.Equal(t, d.Size, size)
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(files["blobs/sha256/"+manifest.Config.Digest.Hex]))
	require.NoError(t, err)
	assert.Equal(t, []v1.Hash{manifest.Layers[0].Digest, manifest.Layers[1].Digest}, config.RootFS.DiffIDs,
		"unpacked layers are their own diff ids")
}

func TestTheSameSourceInAnotherFolderGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	paths := [2]string{}
	for i := range paths {
		paths[i] = filepath.Join(t.TempDir(), "app.tar")
		require.NoError(t, specFor(t, buildProgram(t, "a")).write(paths[i]))
	}
	first, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	second, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	assert.True(t, bytes.Equal(first, second), "archives differ")
}

func TestAnArchiveIsWrittenOnlyWhenItWouldDiffer(t *testing.T) {
	t.Parallel()
	s := specFor(t, buildProgram(t, "a"))
	path := filepath.Join(t.TempDir(), "app.tar")
	stat := func() os.FileInfo {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info
	}
	require.NoError(t, s.write(path))
	first := stat()

	require.NoError(t, s.write(path))
	assert.True(t, os.SameFile(first, stat()), "an equal archive was written again")

	s.Version = "1.2.4"
	require.NoError(t, s.write(path))
	second := stat()
	assert.False(t, os.SameFile(first, second), "another version left the old archive")

	s.Binary = buildProgram(t, "b")
	require.NoError(t, s.write(path))
	assert.False(t, os.SameFile(second, stat()), "another binary left the old archive")
}

func TestABinaryThatCouldNotStartIsRefused(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600))
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	tests := map[string]struct{ binary, want string }{
		"a binary linked against libc has no loader": {
			binary: buildProgram(t, "a", "CGO_ENABLED=1", "CGO_LDFLAGS="),
			want:   "CGO_ENABLED=0",
		},
		"a script has no interpreter":            {binary: script, want: "not a Linux binary"},
		"a binary for another processor":         {binary: buildProgram(t, "a", "GOARCH="+other), want: "the image is for " + runtime.GOARCH},
		"a binary that was never built is named": {binary: filepath.Join(t.TempDir(), "none"), want: "none"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := specFor(t, tc.binary).build()
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

func TestTheRootCertificatesAreUsable(t *testing.T) {
	t.Parallel()
	pool := x509.NewCertPool()

	require.True(t, pool.AppendCertsFromPEM(certificates()))

	assert.Greater(t, len(pool.Subjects()), 100) //nolint:staticcheck // deprecated for the system pool, which this is not
}

package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheSameProgramGivesTheSameImage(t *testing.T) {
	t.Parallel()
	first, err := pauseArchive([]byte("program"))
	require.NoError(t, err)
	second, err := pauseArchive([]byte("program"))
	require.NoError(t, err)
	other, err := pauseArchive([]byte("another"))
	require.NoError(t, err)
	assert.Equal(t, first, second)
	assert.NotEqual(t, first, other)

	digests := map[string]bool{}
	for _, archive := range [][]byte{first, second, other} {
		file := filepath.Join(t.TempDir(), "pause.tar")
		require.NoError(t, os.WriteFile(file, archive, 0o600))
		images, err := readArchiveIndex(file)
		require.NoError(t, err)
		require.Contains(t, images, pauseImage)
		digests[images[pauseImage]] = true
	}
	assert.Len(t, digests, 2)
}

func TestAnArchiveThatCannotBeLoadedIsRefusedInWords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files []tarFile
		want  string
	}{
		"no index":                {[]tarFile{{"manifest.json", []byte("[]"), 0o644}}, "is no OCI image archive"},
		"an image without a name": {[]tarFile{{"index.json", []byte(`{"manifests":[{"digest":"sha256:0"}]}`), 0o644}}, "names no image"},
		"a broken index":          {[]tarFile{{"index.json", []byte(`{`), 0o644}}, "read image archive"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var archive bytes.Buffer
			require.NoError(t, writeTar(&archive, tc.files...))
			file := filepath.Join(t.TempDir(), "image.tar")
			require.NoError(t, os.WriteFile(file, archive.Bytes(), 0o600))
			_, err := readArchiveIndex(file)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

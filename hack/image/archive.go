package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// entry is one file or folder of a tar file. Owner and time are always zero.
type entry struct {
	Path    string // without a leading slash
	Content []byte
	Mode    int64
	Dir     bool
}

// indexName is the archive's first entry. It names everything else by digest, so
// reading it alone tells what the archive holds.
const indexName = "index.json"

// archive is an image as the entries of an OCI archive.
type archive struct {
	digest  v1.Hash // of the image's manifest
	entries []entry
}

// newArchive lays the image out by the OCI Image Layout Specification: index,
// layout marker, and blobs by digest.
func newArchive(img v1.Image, annotations map[string]string) (archive, error) {
	manifest, err := img.RawManifest()
	if err != nil {
		return archive{}, fmt.Errorf("read manifest: %w", err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return archive{}, fmt.Errorf("read configuration: %w", err)
	}
	index, digest, err := newIndex(img, annotations)
	if err != nil {
		return archive{}, err
	}
	a := archive{digest: digest, entries: []entry{
		{Path: indexName, Content: index, Mode: 0o644},
		{Path: "oci-layout", Content: []byte(`{"imageLayoutVersion":"1.0.0"}`), Mode: 0o644},
		{Path: "blobs", Mode: 0o755, Dir: true},
		{Path: "blobs/sha256", Mode: 0o755, Dir: true},
	}}
	for _, blob := range [][]byte{manifest, config} {
		if err := a.add(bytes.NewReader(blob)); err != nil {
			return archive{}, err
		}
	}
	layers, err := img.Layers()
	if err != nil {
		return archive{}, fmt.Errorf("read layers: %w", err)
	}
	for _, layer := range layers {
		content, err := layer.Compressed()
		if err != nil {
			return archive{}, fmt.Errorf("open layer: %w", err)
		}
		if err := a.add(content); err != nil {
			return archive{}, err
		}
	}
	return a, nil
}

// newIndex returns index.json for the one image, and the image's digest.
func newIndex(img v1.Image, annotations map[string]string) ([]byte, v1.Hash, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, v1.Hash{}, fmt.Errorf("digest manifest: %w", err)
	}
	size, err := img.Size()
	if err != nil {
		return nil, v1.Hash{}, fmt.Errorf("size manifest: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, v1.Hash{}, fmt.Errorf("read configuration: %w", err)
	}
	index, err := json.MarshalIndent(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType:   types.OCIManifestSchema1,
			Size:        size,
			Digest:      digest,
			Annotations: annotations,
			Platform:    config.Platform(),
		}},
	}, "", "  ")
	return index, digest, err
}

// add appends the blob under its digest.
func (a *archive) add(blob io.Reader) error {
	content, err := io.ReadAll(blob)
	if err != nil {
		return fmt.Errorf("read blob: %w", err)
	}
	digest, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("digest blob: %w", err)
	}
	a.entries = append(a.entries, entry{Path: "blobs/sha256/" + digest.Hex, Content: content, Mode: 0o644})
	return nil
}

// size returns the bytes of content, which is the archive's size but for padding.
func (a *archive) size() int {
	total := 0
	for _, e := range a.entries {
		total += len(e.Content)
	}
	return total
}

// isAt reports whether the file at path is this archive already. Its first entry
// is enough to know, because files come there whole by writeTo's rename.
func (a *archive) isAt(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	r := tar.NewReader(file)
	header, err := r.Next()
	if err != nil || header.Name != indexName {
		return false
	}
	index, err := io.ReadAll(r)
	return err == nil && bytes.Equal(index, a.entries[0].Content)
}

// writeTo puts the archive at path, in one step: a reader sees the old file or
// the new one.
func (a *archive) writeTo(path string) error {
	content, err := tarball(a.entries)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".image-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails after the rename, which is what we want
	if _, err := temp.Write(content); err != nil {
		return err
	}
	if err := temp.Chmod(0o644); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// tarball returns the entries as a tar file that depends on nothing else: no
// times, no names of users, one fixed format.
func tarball(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.Path, Size: int64(len(e.Content)), Mode: e.Mode, Format: tar.FormatUSTAR,
		}
		if e.Dir {
			header.Typeflag, header.Name = tar.TypeDir, e.Path+"/"
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("write header of %s: %w", e.Path, err)
		}
		if _, err := w.Write(e.Content); err != nil {
			return nil, fmt.Errorf("write %s: %w", e.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

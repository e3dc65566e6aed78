package lab

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
)

// imageNameAnnotation is where containerd looks for the full name of an image
// in an archive. The OCI annotation for it holds only a tag by convention.
const imageNameAnnotation = "io.containerd.image.name"

// descriptor is the part of an OCI descriptor that matters here.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type imageIndex struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// errFound ends the walk through an archive early.
var errFound = errors.New("found")

// readArchiveIndex reads which images an OCI archive holds, by name, without
// reading all of it when index.json comes first.
func readArchiveIndex(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open image archive: %w", err)
	}
	defer func() { _ = f.Close() }()
	var index imageIndex
	archive := tar.NewReader(f)
	for err == nil {
		var header *tar.Header
		header, err = archive.Next()
		if err == nil && path.Clean(header.Name) == "index.json" {
			err = json.NewDecoder(archive).Decode(&index)
			if err == nil {
				err = errFound
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is no OCI image archive: it has no index.json", file)
	}
	if !errors.Is(err, errFound) {
		return nil, fmt.Errorf("read image archive %s: %w", file, err)
	}
	images := map[string]string{}
	for _, manifest := range index.Manifests {
		name := manifest.Annotations[imageNameAnnotation]
		if name == "" {
			return nil, fmt.Errorf("%s: index.json names no image; set the annotation %s to its full name", file, imageNameAnnotation)
		}
		images[name] = manifest.Digest
	}
	return images, nil
}

// pauseArchive is an OCI archive with one static program in it. The same
// program gives the same bytes, so that the image is known again.
func pauseArchive(program []byte) ([]byte, error) {
	var layer bytes.Buffer
	err := writeTar(&layer, tarFile{"pause", program, 0o755})
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": object{"Entrypoint": []string{"/pause"}, "User": "65532:65532"},
		"rootfs": object{"type": "layers", "diff_ids": []string{digest(layer.Bytes())}},
	})
	if err != nil {
		return nil, fmt.Errorf("render the image's config: %w", err)
	}
	const oci = "application/vnd.oci.image."
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": oci + "manifest.v1+json",
		"config": describe(oci+"config.v1+json", config),
		"layers": []descriptor{describe(oci+"layer.v1.tar", layer.Bytes())},
	})
	if err != nil {
		return nil, fmt.Errorf("render the image's manifest: %w", err)
	}
	entry := describe(oci+"manifest.v1+json", manifest)
	entry.Annotations = map[string]string{imageNameAnnotation: pauseImage}
	index, err := json.Marshal(imageIndex{2, oci + "index.v1+json", []descriptor{entry}})
	if err != nil {
		return nil, fmt.Errorf("render the image's index: %w", err)
	}
	var archive bytes.Buffer
	err = writeTar(&archive,
		tarFile{"index.json", index, 0o644},
		tarFile{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644},
		tarFile{blobPath(manifest), manifest, 0o644},
		tarFile{blobPath(config), config, 0o644},
		tarFile{blobPath(layer.Bytes()), layer.Bytes(), 0o644},
	)
	return archive.Bytes(), err
}

func describe(mediaType string, content []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: digest(content), Size: int64(len(content))}
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func blobPath(content []byte) string {
	return "blobs/sha256/" + digest(content)[len("sha256:"):]
}

type tarFile struct {
	name    string
	content []byte
	mode    int64
}

func writeTar(w io.Writer, files ...tarFile) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		if _, err := archive.Write(f.content); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// uid is the user and group every image runs as: the number that "non-root" has
// come to mean, so that a Pod's runAsNonRoot can be checked without /etc/passwd.
const uid = 65532

// spec is what one image is made of.
type spec struct {
	Name    string   // last part of the image name, and of the entrypoint
	Binary  string   // path of the static binary
	Title   string   // one line for the label
	Version string   // tag and version label
	Arch    string   // GOARCH of the binary
	Base    v1.Layer // shared by all images
}

// ref returns the full name of the image, as a Pod spells it.
func (s spec) ref() string {
	return fmt.Sprintf("%s/%s:%s", repository, s.Name, s.Version)
}

// annotations returns what the archive's index says about its one image.
// containerd reads the name under its own key; the OCI key holds the tag alone.
func (s spec) annotations() map[string]string {
	return map[string]string{
		"io.containerd.image.name":          s.ref(),
		"org.opencontainers.image.ref.name": s.Version,
	}
}

// build returns the image: base layer, binary layer, configuration.
func (s spec) build() (v1.Image, error) {
	content, err := os.ReadFile(s.Binary)
	if err != nil {
		return nil, fmt.Errorf("read binary: %w", err)
	}
	if err := checkStatic(content, s.Arch); err != nil {
		return nil, fmt.Errorf("binary %s: %w", s.Binary, err)
	}
	layer, err := newLayer(entry{Path: s.Name, Content: content, Mode: 0o755})
	if err != nil {
		return nil, fmt.Errorf("make binary layer: %w", err)
	}
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err = mutate.Append(img,
		mutate.Addendum{Layer: s.Base, History: v1.History{CreatedBy: "user and root certificates"}},
		mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "the binary /" + s.Name}},
	)
	if err != nil {
		return nil, fmt.Errorf("append layers: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return mutate.ConfigFile(img, s.configure(config))
}

// configure fills in who runs what. Created is the epoch: a real time would make
// every build another image.
func (s spec) configure(config *v1.ConfigFile) *v1.ConfigFile {
	config = config.DeepCopy()
	id := strconv.Itoa(uid)
	config.OS, config.Architecture = "linux", s.Arch
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{
		User:       id + ":" + id,
		WorkingDir: "/",
		Entrypoint: []string{"/" + s.Name},
		Labels: map[string]string{
			"org.opencontainers.image.title":       s.Name,
			"org.opencontainers.image.description": s.Title,
			"org.opencontainers.image.version":     s.Version,
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.source":      "https://github.com/svc-cat/catalog",
		},
	}
	return config
}

// newLayer returns an uncompressed layer: the archives are read on the machine
// that wrote them, where packing would cost more than it saves.
func newLayer(entries ...entry) (v1.Layer, error) {
	content, err := tarball(entries)
	if err != nil {
		return nil, err
	}
	return static.NewLayer(content, types.OCIUncompressedLayer), nil
}

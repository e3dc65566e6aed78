package lab

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// loadPatience is how long containerd may take to make an image known to the
// kubelet after it has been imported.
const loadPatience = 15 * time.Second

// managedLabel is on an image's name once containerd's Kubernetes side knows
// it. Until then a Pod with imagePullPolicy Never fails with
// ErrImageNeverPull.
const managedLabel = "io.cri-containerd.image=managed"

// Load brings images of OCI archives into the cluster. An image that is there
// with the same content is left alone. It tells whether one took the place of
// another of its name: Pods that run the old one go on doing so.
func (c *Cluster) Load(ctx context.Context, archives ...string) (replaced bool, err error) {
	if err := checkHost(); err != nil {
		return false, err
	}
	if _, ok, err := findInit(c.layout.state); err != nil || !ok {
		return false, fmt.Errorf("load images: %w", errOr(err, ErrNotRunning))
	}
	host, err := c.prepareRuntime(ctx)
	if err != nil {
		return false, err
	}
	for _, archive := range archives {
		newer, err := c.loadOne(ctx, host, archive)
		if err != nil {
			return replaced, err
		}
		replaced = replaced || newer
	}
	return replaced, nil
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// loadOne tells whether an image took the place of another of its name.
func (c *Cluster) loadOne(ctx context.Context, host hostFacts, archive string) (replaced bool, err error) {
	start := time.Now()
	want, err := readArchiveIndex(archive)
	if err != nil {
		return false, err
	}
	have, err := c.images(ctx, host)
	if err != nil {
		return false, err
	}
	names := strings.Join(slices.Sorted(maps.Keys(want)), ", ")
	if known(have, want) {
		c.say(start, "%s is there", names)
		return false, nil
	}
	for name := range want {
		replaced = replaced || have[name] != ""
	}
	args := []string{"images", "import"}
	if host.Snapshotter != "overlayfs" {
		args = append(args, "--snapshotter="+host.Snapshotter)
	}
	if _, err := c.ctr(ctx, host, append(args, archive)...); err != nil {
		return false, fmt.Errorf("load %s: %w", archive, err)
	}
	waitCtx, cancel := context.WithTimeout(ctx, loadPatience)
	defer cancel()
	err = poll(waitCtx, 20*time.Millisecond, func() (bool, error) {
		have, err := c.images(waitCtx, host)
		return known(have, want), err
	})
	if err != nil {
		return false, fmt.Errorf("wait for %s to be known to the kubelet: %w", names, err)
	}
	c.say(start, "loaded %s", names)
	return replaced, nil
}

// known tells whether each wanted image is there with that digest.
func known(have, want map[string]string) bool {
	for name, digest := range want {
		if have[name] != digest {
			return false
		}
	}
	return true
}

// images are the digests, by name, of the images that the kubelet knows.
func (c *Cluster) images(ctx context.Context, host hostFacts) (map[string]string, error) {
	out, err := c.ctr(ctx, host, "images", "list")
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	images := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		// REF TYPE DIGEST SIZE PLATFORMS LABELS; the size has a space in it.
		fields := strings.Fields(lines.Text())
		if len(fields) > 3 && strings.Contains(lines.Text(), managedLabel) {
			images[fields[0]] = fields[2]
		}
	}
	return images, lines.Err()
}

func (c *Cluster) ctr(ctx context.Context, host hostFacts, args ...string) ([]byte, error) {
	path, err := lookPath("ctr", []string{"PATH=" + host.Path})
	if err != nil {
		return nil, err
	}
	// The address must be absolute: with a relative one ctr hangs.
	all := append([]string{"--address", c.layout.containerdSocket(), "--namespace", "k8s.io"}, args...)
	cmd := exec.CommandContext(ctx, path, all...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// loadPause makes the image of the process that holds each Pod's namespaces.
func (c *Cluster) loadPause(ctx context.Context, host hostFacts) error {
	program, err := os.ReadFile(filepath.Join(host.Tools, "pause"))
	if err != nil {
		return fmt.Errorf("read the pause program: %w", err)
	}
	archive, err := pauseArchive(program)
	if err != nil {
		return err
	}
	file := c.layout.in("pause.tar")
	if err := writeFile(file, archive, 0o600); err != nil {
		return err
	}
	_, err = c.loadOne(ctx, host, file)
	return err
}

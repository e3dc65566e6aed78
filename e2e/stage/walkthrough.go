package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Walkthrough is the folder of manifests, below the checkout's root.
const Walkthrough = "examples/walkthrough"

// Create creates what a manifest says and returns what kubectl prints. Warnings
// go to Out.
func (s *Stage) Create(ctx context.Context, manifest string, flags ...string) (string, error) {
	return s.run(ctx, []byte(manifest), s.Kubectl, append([]string{"create", "-f", "-"}, flags...)...)
}

// Apply applies the whole walkthrough in one go, and prints what kubectl says.
func (s *Stage) Apply(ctx context.Context) error {
	manifests, err := s.Manifests()
	if err != nil {
		return err
	}
	fmt.Fprintln(s.Out, "$ kubectl apply -f "+Walkthrough)
	out, err := s.run(ctx, manifests, s.Kubectl, "apply", "-f", "-")
	fmt.Fprintln(s.Out, out)
	return err
}

// Remove deletes what Apply made, and waits until it is gone.
func (s *Stage) Remove(ctx context.Context) error {
	manifests, err := s.Manifests()
	if err != nil {
		return err
	}
	_, err = s.run(ctx, manifests, s.Kubectl, "delete", "--ignore-not-found", "--timeout=3m", "-f", "-")
	return err
}

// Manifests are the walkthrough's, as they are in the checkout but for the
// registry of their image.
func (s *Stage) Manifests() ([]byte, error) {
	// Sorted, as kubectl reads them.
	files, err := filepath.Glob(filepath.Join(s.Root, Walkthrough, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no manifests in %s", Walkthrough)
	}
	var all []string
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		text := string(raw)
		if s.Registry != "" {
			text = strings.ReplaceAll(text, "svc-cat.local/", s.Registry+"/")
		}
		all = append(all, text)
	}
	return []byte(strings.Join(all, "---\n")), nil
}

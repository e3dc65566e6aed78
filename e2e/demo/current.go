package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/svc-cat/catalog/e2e/stage"
)

// current is the stage on the cluster of the current kubectl context.
func (d *demo) current(ctx context.Context) (*stage.Stage, error) {
	s := &stage.Stage{Root: d.root, Registry: strings.TrimSuffix(d.registry, "/"), Out: d.out}
	for name, path := range map[string]*string{"kubectl": &s.Kubectl, "helm": &s.Helm} {
		found, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("%s is not in the PATH; install it, or use the local cluster by `make demo`", name)
		}
		*path = found
	}
	name, err := s.Output(ctx, "config", "current-context")
	if err != nil {
		return nil, errors.New("kubectl has no current context; choose one by `kubectl config use-context`")
	}
	s.Context = name // whatever happens to the context meanwhile, we stay with this one
	fmt.Fprintf(d.out, "The demo is for the cluster of kubectl context %q.\n", name)
	return s, nil
}

func (d *demo) upCurrent(ctx context.Context) error {
	s, err := d.checkCurrent(ctx)
	if err != nil {
		return err
	}
	if err := d.checkImages(ctx, s); err != nil {
		return err
	}
	if err := d.play(ctx, s, d.postgresURI); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nLook further:")
	d.lookFurther("make demo-down CLUSTER=current")
	return nil
}

// checkCurrent refuses what could only fail later.
func (d *demo) checkCurrent(ctx context.Context) (*stage.Stage, error) {
	s, err := d.current(ctx)
	if err != nil {
		return nil, err
	}
	if d.postgresURI == "" {
		return nil, errors.New("no PostgreSQL is named; the broker makes databases on one that your cluster reaches:\n" +
			"  make demo CLUSTER=current POSTGRES_URI=postgres://admin:PASSWORD@HOST:5432/postgres")
	}
	return s, s.CheckNamespaces(ctx)
}

func (d *demo) downCurrent(ctx context.Context) error {
	s, err := d.current(ctx)
	if err != nil {
		return err
	}
	if err := s.CheckNamespaces(ctx); err != nil {
		return err
	}
	d.step("Remove the walkthrough, both releases and their namespaces (the CRDs stay)")
	return s.Uninstall(ctx)
}

const imageHelp = `No node reports these images (nodes report up to five minutes late): %[2]s.
If Pods do not start (ErrImagePull): they are OCI archives in dist/, made by "make image". Either
  load them into the nodes:   kind load image-archive dist/catalog.tar      (and postgres-broker.tar, demo-app.tar)
                              minikube image load dist/catalog.tar
                              ctr -n k8s.io images import dist/catalog.tar
  or push them to a registry: skopeo copy oci-archive:dist/catalog.tar docker://REGISTRY/catalog:%[1]s
                              and say where: make demo CLUSTER=current REGISTRY=REGISTRY
`

// checkImages says how images get to the cluster, unless a node reports them or a
// registry was named.
func (d *demo) checkImages(ctx context.Context, s *stage.Stage) error {
	if s.Registry != "" {
		fmt.Fprintf(d.out, "Images come from %s.\n", s.Registry)
		return nil
	}
	have, err := s.Output(ctx, "get", "nodes", "-o", `jsonpath={range .items[*].status.images[*].names[*]}{@}{"\n"}{end}`)
	if err != nil {
		return err
	}
	version, err := s.Version()
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range images() {
		if image := "svc-cat.local/" + name + ":" + version; !strings.Contains(have, image) {
			missing = append(missing, image)
		}
	}
	if len(missing) > 0 {
		// Nodes report late, and only some of their images: no reason to stop.
		fmt.Fprintf(d.out, imageHelp, version, strings.Join(missing, ", "))
		return nil
	}
	fmt.Fprintln(d.out, "The nodes have the images.")
	return nil
}

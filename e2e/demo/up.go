package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/svc-cat/catalog/e2e/cluster/lab"
	"github.com/svc-cat/catalog/e2e/stage"
)

// images are the archives that `make image` wrote.
func images() []string { return []string{"catalog", "postgres-broker", "demo-app"} }

type demo struct {
	options
	root  string
	out   io.Writer
	began time.Time
}

// step announces what comes, with the time since the start.
func (d *demo) step(text string) {
	if d.began.IsZero() {
		d.began = time.Now()
	}
	fmt.Fprintf(d.out, "\n[%6.1fs] %s\n", time.Since(d.began).Seconds(), text)
}

// local is the cluster of our own.
func (d *demo) local() (*lab.Cluster, error) {
	return lab.Open(lab.Options{Root: d.root, Log: d.out})
}

func (d *demo) checkLocal(context.Context) error {
	c, err := d.local()
	if err != nil {
		return err
	}
	return c.CheckHost()
}

func (d *demo) upLocal(ctx context.Context) error {
	c, err := d.local()
	if err != nil {
		return err
	}
	d.step("Start a Kubernetes cluster on this machine (the first time, its programs are built: several minutes)")
	if err := c.Up(ctx); err != nil {
		return err
	}
	d.step("Bring the images into it")
	var archives []string
	for _, name := range images() {
		archives = append(archives, filepath.Join(d.root, "dist", name+".tar"))
	}
	replaced, err := c.Load(ctx, archives...)
	if err != nil {
		return err
	}
	d.step("Start a PostgreSQL server outside of the cluster")
	pg, err := c.PostgresUp(ctx)
	if err != nil {
		return err
	}
	s := &stage.Stage{Root: d.root, Kubectl: c.Bin("kubectl"), Helm: c.Bin("helm"), Kubeconfig: c.Kubeconfig(), Out: d.out}
	if replaced {
		d.step("Start the Pods of an earlier demo again: an image has changed")
		if err := s.Restart(ctx); err != nil {
			return err
		}
	}
	if err := d.play(ctx, s, pg.URI()); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nLook further:\n  export KUBECONFIG=%s PATH=%s:$PATH\n", c.Kubeconfig(), filepath.Dir(c.Bin("kubectl")))
	d.lookFurther("make demo-down")
	return nil
}

// lookFurther says what to try next. The demo's own cluster needs the line above
// it, which says where that is.
func (d *demo) lookFurther(down string) {
	fmt.Fprintf(d.out, `  kubectl get svcat -A                                   # brokers, classes, plans, instances, bindings
  kubectl describe servicebinding orders-db -n shop      # conditions and events
  kubectl get secret orders-db orders-db-env -n shop     # the credentials
  kubectl delete -f examples/walkthrough                 # and the database, its roles and the Secrets are gone
  %-55s# takes all of it away
`, down)
}

func (d *demo) downLocal(ctx context.Context) error {
	c, err := d.local()
	if err != nil {
		return err
	}
	d.step("Stop the cluster and PostgreSQL, and remove what they left")
	return c.Down(ctx)
}

// play is the demo itself, on any cluster.
func (d *demo) play(ctx context.Context, s *stage.Stage, dsn string) error {
	d.step("helm install catalog charts/catalog")
	if err := s.InstallCatalog(ctx); err != nil {
		return err
	}
	d.step("helm install postgres-broker charts/postgres-broker")
	if err := s.InstallBroker(ctx, dsn); err != nil {
		return err
	}
	d.step("Apply broker, instance, binding and an annotated Deployment, all at once")
	if err := s.Apply(ctx); err != nil {
		return err
	}
	d.step("The platform's side: what the broker offers")
	if err := s.ShowCatalog(ctx); err != nil {
		return err
	}
	d.step("The application's side: instance, binding, and the Pod that waited for its credentials")
	if err := s.ShowApp(ctx); err != nil {
		return err
	}
	d.step("What was injected into the Pod")
	if err := s.ShowInjected(ctx); err != nil {
		return err
	}
	d.step("What the program says")
	if err := s.ShowLogs(ctx); err != nil {
		return err
	}
	d.step("Done: a row was written and read back with injected credentials, from files and from variables")
	return nil
}

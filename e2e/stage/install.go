package stage

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// demoLabel is on every namespace of the scene, also in the walkthrough's
// manifest, and tells it from a namespace of that name of somebody else's.
const (
	demoLabel = "app.kubernetes.io/part-of"
	demoValue = "walkthrough"
)

// CheckNamespaces refuses a cluster where one of the scene's namespaces is
// somebody else's: Uninstall would remove it with all that it holds.
func (s *Stage) CheckNamespaces(ctx context.Context) error {
	var foreign []string
	for _, name := range []string{CatalogNamespace, BrokerNamespace, AppNamespace} {
		got, err := s.Output(ctx, "get", "namespace", name, "--ignore-not-found",
			"-o", `jsonpath={.metadata.name}={.metadata.labels.`+strings.ReplaceAll(demoLabel, ".", `\.`)+`}`)
		if err != nil {
			return err
		}
		if got != "" && got != name+"="+demoValue {
			foreign = append(foreign, name)
		}
	}
	if len(foreign) > 0 {
		return fmt.Errorf("this cluster has a namespace that the demo would fill and later remove, and did not make: %s; "+
			"choose another cluster, or, if it is to be the demo's, `kubectl label namespace %s %s=%s`",
			strings.Join(foreign, ", "), strings.Join(foreign, " "), demoLabel, demoValue)
	}
	return nil
}

// ensureNamespace makes a namespace of the scene.
func (s *Stage) ensureNamespace(ctx context.Context, name string) error {
	return s.apply(ctx, map[string]any{"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": name, "labels": map[string]string{demoLabel: demoValue}}})
}

func (s *Stage) apply(ctx context.Context, object any) error {
	raw, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	_, err = s.run(ctx, raw, s.Kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// InstallCatalog installs the catalog and nothing before it.
func (s *Stage) InstallCatalog(ctx context.Context) error {
	if err := s.ensureNamespace(ctx, CatalogNamespace); err != nil {
		return err
	}
	return s.install(ctx, "catalog", CatalogNamespace)
}

// install installs a chart as the release of its name, or upgrades it.
func (s *Stage) install(ctx context.Context, chart, namespace string, flags ...string) error {
	// The record of an operation that was killed: with it Helm refuses every
	// other, without it Helm takes up what is there.
	if _, err := s.Output(ctx, "delete", "secrets", "-n", namespace, "-l",
		"owner=helm,name="+chart+",status in (pending-install,pending-upgrade,pending-rollback)"); err != nil {
		return err
	}
	args := slices.Concat([]string{"upgrade", "--install", chart, "charts/" + chart, "-n", namespace, "--wait", "--timeout", "5m"},
		flags, s.image(chart))
	_, err := s.run(ctx, nil, s.Helm, args...)
	return err
}

// Restart starts the Pods of an earlier scene again, which have an image of the
// same name with other content.
func (s *Stage) Restart(ctx context.Context) error {
	for _, namespace := range []string{CatalogNamespace, BrokerNamespace, AppNamespace} {
		names, err := s.Output(ctx, "get", "deployments", "-n", namespace, "-o", "name")
		if err != nil {
			return err
		}
		if names == "" {
			continue
		}
		if _, err := s.Output(ctx, append([]string{"rollout", "restart", "-n", namespace}, strings.Fields(names)...)...); err != nil {
			return err
		}
	}
	return nil
}

// image is how an installation is told of another registry.
func (s *Stage) image(name string) []string {
	if s.Registry == "" {
		return nil
	}
	return []string{"--set", "image.repository=" + s.Registry + "/" + name}
}

// InstallBroker installs the PostgreSQL broker for the server that dsn leads to.
// The Secrets it needs are made anew only where they are missing.
func (s *Stage) InstallBroker(ctx context.Context, dsn string) error {
	if err := s.ensureNamespace(ctx, BrokerNamespace); err != nil {
		return err
	}
	password, err := random()
	if err != nil {
		return err
	}
	key, err := random()
	if err != nil {
		return err
	}
	for name, data := range map[string]map[string]string{
		adminSecret: {"dsn": dsn},
		loginSecret: {"username": "platform", "password": password},
		sealSecret:  {"encryption-key": key},
	} {
		if err := s.ensureSecret(ctx, name, data, name == adminSecret); err != nil {
			return err
		}
	}
	return s.install(ctx, "postgres-broker", BrokerNamespace, "--set", "postgres.existingSecret="+adminSecret,
		"--set", "auth.existingSecret="+loginSecret, "--set", "encryption.existingSecret="+sealSecret)
}

// InstallTestBroker installs the broker that fails as it is told to, registered
// with the catalog. Whoever has the token scripts it.
func (s *Stage) InstallTestBroker(ctx context.Context, adminToken string) error {
	if err := s.ensureNamespace(ctx, TestBrokerNamespace); err != nil {
		return err
	}
	password, err := random()
	if err != nil {
		return err
	}
	for name, data := range map[string]map[string]string{
		loginSecret: {"username": "platform", "password": password},
		tokenSecret: {"token": adminToken},
	} {
		if err := s.apply(ctx, secret(TestBrokerNamespace, name, data)); err != nil {
			return err
		}
	}
	return s.install(ctx, "test-broker", TestBrokerNamespace, "--set", "auth.existingSecret="+loginSecret,
		"--set", "admin.existingSecret="+tokenSecret, "--set", "register.enabled=true")
}

// UninstallTestBroker takes it away again; its instances must be gone.
func (s *Stage) UninstallTestBroker(ctx context.Context) error {
	if _, err := s.run(ctx, nil, s.Helm, "uninstall", "test-broker", "-n", TestBrokerNamespace, "--wait"); err != nil {
		return err
	}
	_, err := s.Output(ctx, "delete", "namespace", TestBrokerNamespace, "--timeout=2m")
	return err
}

// random is 32 bytes in Base64.
func random() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("draw a random key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// ensureSecret makes a Secret; one that is there stays, unless it is to be
// overwritten. Values go through standard input, not through arguments.
func (s *Stage) ensureSecret(ctx context.Context, name string, data map[string]string, overwrite bool) error {
	there, err := s.Output(ctx, "get", "secret", name, "-n", BrokerNamespace, "-o", "name", "--ignore-not-found")
	if err != nil || there != "" && !overwrite {
		return err
	}
	return s.apply(ctx, secret(BrokerNamespace, name, data))
}

func secret(namespace, name string, data map[string]string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name, "namespace": namespace}, "stringData": data,
	}
}

// Uninstall takes the walkthrough, both releases and their namespaces away. The
// CRDs stay, as Helm keeps them.
func (s *Stage) Uninstall(ctx context.Context) error {
	// Without the kinds kubectl cannot even read the manifests: an installation
	// that failed at once leaves no more than namespaces.
	kinds, err := s.Output(ctx, "get", "crd", "clusterservicebrokers.servicecatalog.k8s.io", "--ignore-not-found", "-o", "name")
	if err != nil {
		return err
	}
	if kinds != "" {
		err = s.Remove(ctx)
	} else {
		_, err = s.Output(ctx, "delete", "namespace", AppNamespace, "--ignore-not-found", "--timeout=2m")
	}
	if err != nil {
		return err
	}
	for _, r := range [][2]string{{"postgres-broker", BrokerNamespace}, {"catalog", CatalogNamespace}} {
		if _, err := s.run(ctx, nil, s.Helm, "uninstall", r[0], "-n", r[1], "--wait", "--ignore-not-found"); err != nil {
			return err
		}
		if _, err := s.Output(ctx, "delete", "namespace", r[1], "--ignore-not-found", "--timeout=2m"); err != nil {
			return err
		}
	}
	return nil
}

package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	classColumns = "-o=custom-columns=SERVICE NAME:.metadata.name,EXTERNAL NAME:.spec.externalName"
	planColumns  = "-o=custom-columns=PLAN NAME:.metadata.name,EXTERNAL NAME:.spec.externalName"
	// injectedPart prints what the webhook added to a Pod, and nothing else.
	injectedPart = `jsonpath={range .items[*]}{"annotation  servicecatalog.k8s.io/injected: "}{.metadata.annotations.servicecatalog\.k8s\.io/injected}{"\n"}` +
		`{range .spec.volumes[?(@.secret)]}{"volume      "}{.name}{" <- Secret "}{.secret.secretName}{"\n"}{end}` +
		`{range .spec.containers[*]}{"container   "}{.name}{"\n"}` +
		`{range .envFrom[*]}{"  envFrom   Secret "}{.secretRef.name}{" as "}{.prefix}{"*\n"}{end}` +
		`{range .env[?(@.name=="SERVICE_BINDING_ROOT")]}{"  env       "}{.name}{"="}{.value}{"\n"}{end}` +
		`{range .volumeMounts[*]}{"  mount     "}{.mountPath}{"\n"}{end}{end}{end}`
)

// ShowCatalog waits for the broker and prints the classes and plans.
func (s *Stage) ShowCatalog(ctx context.Context) error {
	if _, err := s.Output(ctx, "wait", "clusterservicebroker/postgres-broker", "--for=condition=Ready", "--timeout=2m"); err != nil {
		return err
	}
	if err := s.Show(ctx, "get", "clusterserviceclasses", classColumns); err != nil {
		return err
	}
	return s.Show(ctx, "get", "clusterserviceplans", planColumns)
}

// ShowApp waits for the application and prints what it stands on.
func (s *Stage) ShowApp(ctx context.Context) error {
	if _, err := s.Output(ctx, "rollout", "status", "deployment/app", "-n", AppNamespace, "--timeout=3m"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"get", "serviceinstances,servicebindings", "-n", AppNamespace},
		{"get", "pods", "-n", AppNamespace},
	} {
		if err := s.Show(ctx, args...); err != nil {
			return err
		}
	}
	return s.Show(ctx, "get", "events", "-n", AppNamespace, "--sort-by=.metadata.creationTimestamp", "-o=custom-columns=OBJECT:.involvedObject.kind,REASON:.reason,MESSAGE:.message",
		"--field-selector=reportingComponent=service-catalog")
}

// ShowInjected prints what the webhook added to the application's Pod.
func (s *Stage) ShowInjected(ctx context.Context) error {
	out, err := s.Output(ctx, "get", "pods", "-n", AppNamespace, "-l", "app=app", "-o", injectedPart)
	fmt.Fprintln(s.Out, out)
	return err
}

// ShowLogs prints what both containers of the application say.
func (s *Stage) ShowLogs(ctx context.Context) error {
	return s.Show(ctx, "logs", "deployment/app", "-n", AppNamespace, "--all-containers", "--prefix")
}

// Version is the version of the charts, which is the images' tag.
func (s *Stage) Version() (string, error) {
	raw, err := os.ReadFile(filepath.Join(s.Root, "charts/catalog/Chart.yaml"))
	if err != nil {
		return "", fmt.Errorf("read the version: %w", err)
	}
	var chart struct {
		AppVersion string `yaml:"appVersion"`
	}
	if err := yaml.Unmarshal(raw, &chart); err != nil {
		return "", fmt.Errorf("read the version: %w", err)
	}
	return strings.TrimSpace(chart.AppVersion), nil
}

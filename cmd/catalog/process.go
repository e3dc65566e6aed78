package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/svc-cat/catalog/api/v1beta1"
)

// process is what both sub-commands are told.
type process struct {
	namespace   string
	certSecret  string
	metricsAddr string
	probeAddr   string
	qps         float32
	burst       int
	logLevel    string
	logFormat   string
}

func (p *process) bind(f *pflag.FlagSet) {
	f.StringVar(&p.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace of this installation (default $POD_NAMESPACE)")
	f.StringVar(&p.certSecret, "cert-secret", "", "Secret in that namespace with the webhook's serving certificate")
	f.StringVar(&p.metricsAddr, "metrics-bind-address", ":8080", "address of /metrics; 0 turns it off")
	f.StringVar(&p.probeAddr, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	f.Float32Var(&p.qps, "kube-api-qps", 50, "requests a second to the API server")
	f.IntVar(&p.burst, "kube-api-burst", 100, "requests to the API server in one go")
	f.StringVar(&p.logLevel, "log-level", "info", "info, or debug for decisions too")
	f.StringVar(&p.logFormat, "log-format", "json", "json or text")
}

// start checks what both sub-commands need, turns logging on and returns how to
// reach the API server.
func (p *process) start(w io.Writer) (*rest.Config, error) {
	if p.namespace == "" {
		return nil, errors.New("the namespace is unknown: give --namespace, or set POD_NAMESPACE")
	}
	handler, err := p.logHandler(w)
	if err != nil {
		return nil, err
	}
	log := logr.FromSlogHandler(handler)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	cfg.QPS, cfg.Burst = p.qps, p.burst
	return cfg, nil
}

func (p *process) logHandler(w io.Writer) (slog.Handler, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch p.logLevel {
	case "info":
	case "debug":
		o.Level = slog.LevelDebug
	default:
		return nil, fmt.Errorf("--log-level is %q; give info or debug", p.logLevel)
	}
	switch p.logFormat {
	case "json":
		return slog.NewJSONHandler(w, o), nil
	case "text":
		return slog.NewTextHandler(w, o), nil
	}
	return nil, fmt.Errorf("--log-format is %q; give json or text", p.logFormat)
}

// newScheme knows Kubernetes' own kinds and ours.
func newScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("register Kubernetes' kinds: %w", err)
	}
	if err := v1beta1.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("register our kinds: %w", err)
	}
	return s, nil
}

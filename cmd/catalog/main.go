package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set when the binary is built.
var version = "dev" //nolint:gochecknoglobals // the linker writes it

func main() {
	if err := newCommand(os.Stderr).ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "catalog:", err)
		os.Exit(1)
	}
}

func newCommand(log io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "catalog",
		Short:         "Credentials of services outside the cluster, in annotated Pods",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(newControllers(log), newWebhook(log))
	return cmd
}

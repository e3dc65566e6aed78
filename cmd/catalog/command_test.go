package main

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

// The chart and the command are changed together, or a Pod does not start.
func TestTheChartGivesOnlyFlagsThatThereAre(t *testing.T) {
	t.Parallel()
	flag := regexp.MustCompile(`(?:"|- )--([a-z-]+)=`)
	for file, takers := range map[string][]string{
		"controllers-deployment.yaml": {"controllers"},
		"webhook-deployment.yaml":     {"webhook"},
		"_pod.tpl":                    {"controllers", "webhook"},
	} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "charts", "catalog", "templates", file))
		require.NoError(t, err)
		given := flag.FindAllStringSubmatch(string(raw), -1)
		assert.GreaterOrEqual(t, len(given), 3, "the flags of %s were found", file)
		for _, m := range given {
			for _, taker := range takers {
				c, _, err := newCommand(io.Discard).Find([]string{taker})
				require.NoError(t, err)
				assert.NotNil(t, c.Flags().Lookup(m[1]), "%s gives --%s to %s", file, m[1], taker)
			}
		}
	}
}

func TestWrongFlagsAreToldInASentence(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no namespace":      {[]string{"controllers"}, "give --namespace"},
		"an unknown level":  {[]string{"controllers", "--namespace=c", "--log-level=loud"}, "give info or debug"},
		"an unknown format": {[]string{"webhook", "--namespace=c", "--log-format=xml"}, "give json or text"},
		"an address":        {[]string{"controllers", "--namespace=c", "--deny-broker-range=10.0.0.0/8", "--deny-broker-range=10.0.0.1"}, "--deny-broker-range=10.0.0.1 is no range"},
		"an unknown flag":   {[]string{"webhook", "--namespace=c", "--loud"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand(io.Discard)
			cmd.SetArgs(tc.args)
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			require.ErrorContains(t, cmd.ExecuteContext(t.Context()), tc.want)
		})
	}
}

func TestBrokersAddressesComeFromTheFlags(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want osb.AddressGuard
	}{
		"by default loopback is refused": {nil, osb.AddressGuard{}},
		"all flags": {[]string{"--allow-loopback-brokers=true", "--deny-broker-range=10.96.1.0/12", "--deny-broker-range=fd00::/8"},
			osb.AddressGuard{AllowLoopback: true, Denied: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12"), netip.MustParsePrefix("fd00::/8")}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, flags := &controllersOptions{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
			o.bind(flags)
			require.NoError(t, flags.Parse(tc.args))
			got, err := o.addresses()
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestTheVersionIsPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := newCommand(io.Discard)
	cmd.SetArgs([]string{"--version"})
	cmd.SetOut(&out)
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	assert.Equal(t, "catalog version dev", strings.TrimSpace(out.String()))
}

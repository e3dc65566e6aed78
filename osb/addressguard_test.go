package osb_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/svc-cat/catalog/osb"
)

func TestAddressGuard(t *testing.T) {
	t.Parallel()
	denied := []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16"), netip.MustParsePrefix("fd12::/16"), netip.MustParsePrefix("::ffff:192.168.0.0/112")}
	strict, lax := osb.AddressGuard{Denied: denied}, osb.AddressGuard{AllowLoopback: true, Denied: denied}
	const no, local, yes = "refused", "refused unless loopback is allowed", "allowed"
	for name, tc := range map[string]struct{ address, want string }{
		"a public address":                        {"203.0.113.7", yes},
		"a public IPv6 address":                   {"2001:db8::7", yes},
		"a private address":                       {"10.1.2.3", yes},
		"a private IPv6 address":                  {"fd13::7", yes},
		"a shared address":                        {"100.100.100.199", yes},
		"loopback":                                {"127.0.0.1", local},
		"all of loopback":                         {"127.255.1.2", local},
		"IPv6 loopback":                           {"::1", local},
		"loopback, mapped":                        {"::ffff:127.0.0.1", local},
		"loopback, by NAT64":                      {"64:ff9b::127.0.0.1", local},
		"loopback, IPv4-compatible":               {"::127.0.0.1", local},
		"the host itself, by zero":                {"0.0.0.0", no},
		"the host's network":                      {"0.1.2.3", no},
		"the host itself, by zero, mapped":        {"::ffff:0.0.0.0", no},
		"the host itself, by IPv6 zero":           {"::", no},
		"metadata":                                {"169.254.169.254", no},
		"credentials of containers":               {"169.254.170.2", no},
		"all of link-local":                       {"169.254.0.1", no},
		"metadata, mapped":                        {"::ffff:169.254.169.254", no},
		"metadata, mapped, in hexadecimal":        {"::ffff:a9fe:a9fe", no},
		"metadata, IPv4-compatible":               {"::169.254.169.254", no},
		"metadata, translated":                    {"::ffff:0:169.254.169.254", no},
		"metadata, by NAT64":                      {"64:ff9b::169.254.169.254", no},
		"metadata, by a NAT64 of one's own":       {"64:ff9b:1::169.254.169.254", no},
		"metadata, by 6to4":                       {"2002:a9fe:a9fe::1", no},
		"IPv6 link-local":                         {"fe80::1", no},
		"IPv6 link-local with a zone":             {"fe80::1%eth0", no},
		"all of IPv6 link-local":                  {"febf::1", no},
		"metadata of AWS":                         {"fd00:ec2::254", no},
		"metadata of AWS with a zone":             {"fd00:ec2::254%eth0", no},
		"credentials of EKS":                      {"fd00:ec2::23", no},
		"metadata of Google Cloud":                {"fd20:ce::254", no},
		"metadata of Alibaba Cloud":               {"100.100.100.200", no},
		"metadata of Alibaba Cloud, mapped":       {"::ffff:100.100.100.200", no},
		"metadata of Azure":                       {"168.63.129.16", no},
		"metadata of Oracle Cloud":                {"fd00:c1::a9fe:a9fe", no},
		"multicast":                               {"224.0.0.1", no},
		"IPv6 multicast":                          {"ff02::1", no},
		"broadcast":                               {"255.255.255.255", no},
		"a denied range":                          {"10.96.0.1", no},
		"a denied range, mapped":                  {"::ffff:10.96.0.1", no},
		"a denied range, by NAT64":                {"64:ff9b::10.96.0.1", no},
		"a denied IPv6 range":                     {"fd12::1", no},
		"a denied IPv6 range with a zone":         {"fd12::1%eth0", no},
		"a range that is denied by mapped":        {"192.168.0.9", no},
		"beside a range that is denied by mapped": {"192.169.0.9", yes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := netip.AddrPortFrom(netip.MustParseAddr(tc.address), 443)
			strictErr, laxErr := strict.Check(addr), lax.Check(addr)
			assert.Equal(t, tc.want == yes, strictErr == nil, "%v", strictErr)
			assert.Equal(t, tc.want != no, laxErr == nil, "%v", laxErr)
			assert.Equal(t, tc.want == local, errors.Is(strictErr, osb.ErrLoopback), "%v", strictErr)
			if strictErr != nil {
				assert.ErrorContains(t, strictErr, addr.Addr().String()+" is ")
			}
		})
	}
	require.Error(t, lax.Check(netip.AddrPort{}), "no address at all")
}

// resolving is a resolver that knows one set of addresses for every name; each
// look-up takes the next set, the last for ever.
func resolving(t *testing.T, sets ...[]string) *net.Resolver {
	t.Helper()
	var asked atomic.Int32
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for {
				query, err := readFrame(server)
				if err != nil {
					return
				}
				// A and AAAA are asked for at once: two queries are one look-up.
				set := sets[min(int(asked.Add(1)-1)/2, len(sets)-1)]
				if writeFrame(server, answerOf(query, set)) != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, query)
	return query, err
}

func writeFrame(w io.Writer, message []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
	return err
}

// answerOf is a DNS answer (RFC 1035, 4) with the addresses of the type that the
// query asks for.
func answerOf(query []byte, addresses []string) []byte {
	end := 12
	for query[end] != 0 { // the labels of the name
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	kind := binary.BigEndian.Uint16(question[len(question)-4:])
	var records []byte
	count := uint16(0)
	for _, a := range addresses {
		raw := netip.MustParseAddr(a).AsSlice()
		if (kind == 1) != (len(raw) == 4) || kind != 1 && kind != 28 {
			continue
		}
		count++
		records = append(records, 0xc0, 12) // the name of the question
		records = binary.BigEndian.AppendUint16(records, kind)
		records = append(records, 0, 1, 0, 0, 0, 0) // IN, and not to be kept
		records = binary.BigEndian.AppendUint16(records, uint16(len(raw)))
		records = append(records, raw...)
	}
	message := append([]byte{}, query[:2]...)
	message = append(message, 0x81, 0x80, 0, 1)
	message = binary.BigEndian.AppendUint16(message, count)
	message = append(message, 0, 0, 0, 0)
	return append(append(message, question...), records...)
}

// TestNoNameLeadsToAForbiddenAddress asks by a name, as a broker's URL does.
func TestNoNameLeadsToAForbiddenAddress(t *testing.T) {
	t.Parallel()
	loopback := osb.AddressGuard{AllowLoopback: true}.Check
	ask := func(t *testing.T, f *fakeBroker, guard func(netip.AddrPort) error, sets ...[]string) (*osb.Client, error) {
		t.Helper()
		_, port, err := net.SplitHostPort(f.Listener.Addr().String())
		require.NoError(t, err)
		c, err := osb.NewClient(osb.Config{URL: "http://broker.test:" + port, DialGuard: guard}.WithResolver(resolving(t, sets...)))
		require.NoError(t, err)
		t.Cleanup(c.Close)
		_, err = c.GetCatalog(t.Context(), &osb.CatalogRequest{})
		return c, err
	}
	for name, tc := range map[string]struct {
		guard func(netip.AddrPort) error
		names []string
		text  string
	}{
		"metadata":                            {loopback, []string{"169.254.169.254"}, "169.254.169.254 is a link-local address"},
		"metadata, with no guard at all":      {nil, []string{"169.254.169.254"}, "169.254.169.254 is a link-local address"},
		"metadata beyond link-local":          {nil, []string{"100.100.100.200"}, "100.100.100.200 is the address of a cloud's metadata service"},
		"metadata, mapped into IPv6":          {nil, []string{"::ffff:169.254.169.254"}, "169.254.169.254 is a link-local address"},
		"metadata, twice":                     {nil, []string{"169.254.169.254", "169.254.170.2"}, "is a link-local address"},
		"zero":                                {loopback, []string{"0.0.0.0"}, "0.0.0.0 is no host's address"},
		"loopback":                            {osb.AddressGuard{}.Check, []string{"127.0.0.1"}, "127.0.0.1 is a loopback address"},
		"a denied range, although it is here": {osb.AddressGuard{AllowLoopback: true, Denied: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}.Check, []string{"127.0.0.1"}, "127.0.0.1 is in the denied range 127.0.0.0/8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := answering(t, 200, `{"services":[]}`)
			_, err := ask(t, f, tc.guard, tc.names)
			e := osb.AsError(err)
			require.NotNil(t, e)
			assert.Equal(t, osb.KindAddressRefused, e.Kind, "%v", err)
			assert.Equal(t, osb.ActorPlatformTeam, e.Actor())
			assert.ErrorContains(t, err, tc.text)
			assert.False(t, e.Lost)
			assert.Empty(t, f.seen)
		})
	}
	t.Run("an address that is allowed is used, whatever else the name stands for", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 200, `{"services":[]}`)
		_, err := ask(t, f, loopback, []string{"169.254.169.254", "127.0.0.1"})
		require.NoError(t, err)
		assert.Len(t, f.seen, 1)
	})
	t.Run("a name that moves is found out at the next connection", func(t *testing.T) {
		t.Parallel()
		f := answering(t, 200, `{"services":[]}`)
		c, err := ask(t, f, loopback, []string{"127.0.0.1"}, []string{"169.254.169.254"})
		require.NoError(t, err)
		c.Close()
		_, err = c.GetCatalog(t.Context(), &osb.CatalogRequest{})
		assert.True(t, osb.IsKind(err, osb.KindAddressRefused), "%v", err)
		assert.Len(t, f.seen, 1)
	})
}

func TestDialGuard(t *testing.T) {
	t.Parallel()
	f := answering(t, 200, `{"services":[]}`)
	var asked []netip.AddrPort
	guard := errors.New("loopback is not allowed")
	refuse := newClient(t, f.URL, func(c *osb.Config) {
		c.DialGuard = func(a netip.AddrPort) error { asked = append(asked, a); return guard }
	})
	_, err := refuse.GetCatalog(t.Context(), &osb.CatalogRequest{})
	e := osb.AsError(err)
	require.NotNil(t, e)
	assert.Equal(t, osb.KindAddressRefused, e.Kind)
	assert.False(t, e.Lost)
	assert.ErrorIs(t, err, guard)
	require.Len(t, asked, 1)
	assert.True(t, asked[0].Addr().IsLoopback())
	assert.Empty(t, f.seen)

	pass := newClient(t, f.URL, func(c *osb.Config) { c.DialGuard = func(netip.AddrPort) error { return nil } })
	_, err = pass.GetCatalog(t.Context(), &osb.CatalogRequest{})
	assert.NoError(t, err)
}

package osb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// ErrLoopback is in the error of a broker's address that is refused because it
// is this very host's.
var ErrLoopback = errors.New("a loopback address")

// AddressGuard says which addresses a broker may have, so that who may name a
// broker's URL cannot use the platform to reach what they could not reach
// themselves. Its Check is meant as Config.DialGuard: asked for each connection,
// after DNS, it cannot be deceived by a name.
//
// An IPv6 address that stands for an IPv4 one (mapped, translated, 6to4) is
// judged as both. The zero value refuses loopback, and what every Client refuses:
// link-local addresses, those at which clouds hand out their machines'
// credentials, and those of no single host.
type AddressGuard struct {
	// AllowLoopback lets brokers be on this host, as in tests.
	AllowLoopback bool
	// Denied are further ranges in which no broker may be.
	Denied []netip.Prefix
}

// Check refuses an address with an error that says why.
func (g AddressGuard) Check(addr netip.AddrPort) error {
	return eachFace(addr.Addr(), func(ip netip.Addr) error {
		if err := refuseAlways(ip); err != nil {
			return err
		}
		if ip.IsLoopback() && !g.AllowLoopback {
			return ErrLoopback
		}
		for _, p := range g.Denied {
			// A range may be written in IPv6 for addresses that are IPv4.
			if p.Contains(ip) || ip.Is4() && p.Contains(netip.AddrFrom16(ip.As16())) {
				return fmt.Errorf("in the denied range %s", p)
			}
		}
		return nil
	})
}

// checkAlways is what every Client refuses, whatever its Config.DialGuard says.
func checkAlways(addr netip.AddrPort) error { return eachFace(addr.Addr(), refuseAlways) }

// eachFace asks check about an address, without its zone, and about the IPv4
// address that it stands for.
func eachFace(ip netip.Addr, check func(netip.Addr) error) error {
	plain := ip.WithZone("").Unmap()
	err := check(plain)
	if v4, ok := embedded(plain); ok && err == nil {
		err = check(v4)
	}
	if err != nil {
		return fmt.Errorf("%s is %w", ip, err)
	}
	return nil
}

// metadata are the addresses of cloud services that trust whoever can reach
// them, where they are not link-local: AWS (IPv6), Google Cloud (IPv6), Alibaba
// Cloud, Azure, and Oracle Cloud (older, and IPv6).
var metadata = [...]netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("fd20:ce::254/128"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("192.0.0.192/32"),
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"),
}

// thisNetwork holds 0.0.0.0, which systems take for themselves.
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

func refuseAlways(ip netip.Addr) error {
	switch {
	case !ip.IsValid():
		return errors.New("no address")
	case ip.IsUnspecified(), thisNetwork.Contains(ip):
		return errors.New("no host's address")
	case ip.IsLinkLocalUnicast():
		return errors.New("a link-local address")
	case ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return errors.New("an address of many hosts")
	case slices.ContainsFunc(metadata[:], func(p netip.Prefix) bool { return p.Contains(ip) }):
		return errors.New("the address of a cloud's metadata service")
	}
	return nil
}

// carriers are IPv6 ranges whose addresses stand for an IPv4 address, and the
// byte at which that begins: NAT64 (RFC 6052, RFC 8215), IPv4-translated (RFC
// 2765), IPv4-compatible (RFC 4291) and 6to4 (RFC 3056).
var carriers = [...]struct {
	netip.Prefix
	at int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
	{netip.MustParsePrefix("::/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// embedded is the IPv4 address that an IPv6 address stands for.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() || ip.IsLoopback() || ip.IsUnspecified() {
		return netip.Addr{}, false
	}
	for _, c := range carriers {
		if c.Contains(ip) {
			raw := ip.As16()
			return netip.AddrFrom4([4]byte(raw[c.at : c.at+4])), true
		}
	}
	return netip.Addr{}, false
}

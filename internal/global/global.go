// Package global tells addresses of the public internet from those that mean something within a network only.
//
// A name in DNS may have any address at all. Whoever connects to an address because a stranger's record names it asks here first, so that
// nobody can make this machine call on its own services or those of its neighbours.
package global

import "net/netip"

// special are the blocks of the IANA special-purpose registries (RFC 6890) whose addresses are not globally reachable, and multicast.
//
// The documentation blocks (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32, 3fff::/20) are not among them, though nobody on
// the internet has such an address: nothing is at risk behind them, for no network uses them, and they stand for public addresses in every
// example and test.
var special = parse(
	"0.0.0.0/8",      // this network (RFC 791 3.2)
	"10.0.0.0/8",     // private (RFC 1918)
	"100.64.0.0/10",  // between a carrier and its customers (RFC 6598)
	"127.0.0.0/8",    // loopback (RFC 1122 3.2.1.3)
	"169.254.0.0/16", // link-local (RFC 3927), where clouds keep their metadata
	"172.16.0.0/12",  // private (RFC 1918)
	"192.0.0.0/24",   // protocol assignments (RFC 6890 2.1)
	"192.88.99.0/24", // 6to4 relays, withdrawn (RFC 7526)
	"192.168.0.0/16", // private (RFC 1918)
	"198.18.0.0/15",  // benchmarking (RFC 2544)
	"224.0.0.0/4",    // multicast
	"240.0.0.0/4",    // reserved, and broadcast (RFC 1112 4)
	"2001::/23",      // protocol assignments, Teredo among them (RFC 2928)
)

func parse(blocks ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(blocks))
	for i, b := range blocks {
		all[i] = netip.MustParsePrefix(b)
	}
	return all
}

// unicast is all that was ever given out of IPv6 (RFC 4291 2.4, RFC 3587 3). Beyond it are loopback, local addresses, multicast, forms with
// an IPv4 address at the end, and blocks that private networks help themselves to.
var unicast = netip.MustParsePrefix("2000::/3")

// The forms of IPv6 that lead to an IPv4 address.
var (
	translated = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// Is tells whether an address is one of the public internet. An IPv6 address that leads to an IPv4 address is what that is.
func Is(ip netip.Addr) bool {
	if ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap()
	if !ip.IsValid() {
		return false
	}
	b := ip.As16()
	switch {
	case ip.Is4():
	case translated.Contains(ip):
		return Is(netip.AddrFrom4([4]byte(b[12:16])))
	case sixToFour.Contains(ip):
		return Is(netip.AddrFrom4([4]byte(b[2:6])))
	case !unicast.Contains(ip):
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

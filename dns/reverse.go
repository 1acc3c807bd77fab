package dns

import (
	"net/netip"
	"strconv"
)

// ReverseName is the name under which an address has its PTR records: 1.2.0.192.in-addr.arpa (RFC 1035 3.5), or the nibbles under
// ip6.arpa (RFC 3596 2.5).
func ReverseName(ip netip.Addr) string {
	ip = ip.Unmap()
	b := ip.AsSlice()
	name := make([]byte, 0, 4*len(b)+len("ip6.arpa"))
	if ip.Is4() {
		for i := len(b) - 1; i >= 0; i-- {
			name = strconv.AppendUint(name, uint64(b[i]), 10)
			name = append(name, '.')
		}
		return string(append(name, "in-addr.arpa"...))
	}
	const hex = "0123456789abcdef"
	for i := len(b) - 1; i >= 0; i-- {
		name = append(name, hex[b[i]&15], '.', hex[b[i]>>4], '.')
	}
	return string(append(name, "ip6.arpa"...))
}

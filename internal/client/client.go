// Package client says who asks, where proxies may hand requests on.
//
//	proxies := client.Proxies(c.Web.TrustedProxies)
//	log.Info("signed in", "from", proxies.Address(r), "https", proxies.Secure(r))
//
// A header can be written by anybody: it is believed of those proxies only that the configuration names.
package client

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are networks whose X-Forwarded-For and X-Forwarded-Proto are believed. So are those of who comes by a socket of the file system:
// nobody opens it whom its mode does not let in.
type Proxies []netip.Prefix

// Address is who asks: of a proxy that is believed, whom it names last that is none itself. It is not valid if nobody can tell.
func (p Proxies) Address(r *http.Request) netip.Addr {
	ip := peer(r)
	if !p.Trusted(r) {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && (i == len(hops)-1 || p.has(ip)); i-- {
		next := parse(strings.TrimSpace(hops[i]))
		if !next.IsValid() {
			break
		}
		ip = next
	}
	return ip
}

// Secure tells whether the client speaks HTTPS.
func (p Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	return p.Trusted(r) && strings.EqualFold(strings.TrimSpace(said[len(said)-1]), "https")
}

// forwarding are the headers by which a proxy gives itself away.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"}

// Stray tells whether a proxy that nobody named handed the request on, so that its address is not that of the client.
func (p Proxies) Stray(r *http.Request) bool {
	return !p.Trusted(r) && slices.ContainsFunc(forwarding, func(name string) bool { return len(r.Header.Values(name)) > 0 })
}

// Trusted tells whether what the headers say of the client is believed.
func (p Proxies) Trusted(r *http.Request) bool { return bySocket(r) || p.has(peer(r)) }

func (p Proxies) has(ip netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// peer is the other end of the connection. Who comes by a socket of the file system is on this host.
func peer(r *http.Request) netip.Addr {
	if bySocket(r) {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return parse(host)
}

func bySocket(r *http.Request) bool {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && a.Network() == "unix"
}

// parse reads an address, with or without a port: some proxies write it.
func parse(s string) netip.Addr {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return ip.Unmap().WithZone("")
	}
	if at, err := netip.ParseAddrPort(s); err == nil {
		return at.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

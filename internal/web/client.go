package web

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gatepost-mail/gatepost/internal/client"
	"github.com/gatepost-mail/gatepost/internal/config"
)

// A border looks at where requests come from, and by which name they call us, before anything else does.
type border struct {
	settings func() *config.Web // nil: all may pass
	log      *slog.Logger
	stray    atomic.Bool // that a proxy is not known was said
}

// web are the settings in force; nil: there are none.
func (b *border) web() *config.Web {
	if b.settings == nil {
		return nil
	}
	return b.settings()
}

// watched lets those in that the configuration names as watchers. A proxy on this host that it does not name would let the whole world in:
// what it hands on is refused.
func (b *border) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := b.web()
		if c == nil {
			next.ServeHTTP(w, r)
			return
		}
		proxies := client.Proxies(c.TrustedProxies)
		address := proxies.Address(r)
		switch {
		case proxies.Stray(r):
			refuse(w, http.StatusForbidden, "A proxy handed this on, from whom nobody knows: name it in web.trusted_proxies.")
		case !within(c.Watchers, address):
			refuse(w, http.StatusForbidden, fmt.Sprintf("%s does not watch over this host: web.watchers says who does.", address))
		case address.IsLoopback() && !knownAs(c, r.Host):
			refuse(w, http.StatusMisdirectedRequest, wrongHost)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

const wrongHost = "This is not the name of this dashboard: web.url says which is."

// named refuses requests that call us by a name that is not ours. A page of a stranger's, whose name he has lead to this host (DNS
// rebinding), would otherwise speak with us as if it were our own.
func (b *border) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := b.web()
		if c == nil {
			next.ServeHTTP(w, r)
			return
		}
		if !knownAs(c, r.Host) {
			refuse(w, http.StatusMisdirectedRequest, wrongHost)
			return
		}
		if client.Proxies(c.TrustedProxies).Stray(r) && !b.stray.Swap(true) {
			b.log.Warn("a proxy hands requests on that web.trusted_proxies does not name: everybody seems to be the proxy, and to come without HTTPS",
				"proxy", r.RemoteAddr)
		}
		next.ServeHTTP(w, r)
	})
}

// knownAs tells whether a host, as a request names it, can be meant for us. An address is always: nobody can have it lead elsewhere.
func knownAs(c *config.Web, host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if _, err := netip.ParseAddr(name); err == nil || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	u, err := url.Parse(c.URL)
	return err == nil && name != "" && name == u.Hostname()
}

func within(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

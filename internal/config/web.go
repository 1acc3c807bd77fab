package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// Web says where and to whom the dashboard, the API, the metrics and the state of the gate are shown.
type Web struct {
	Listen         []Address      `toml:"listen"`
	URL            string         `toml:"url"`             // as browsers reach it; empty: by the first address of Listen
	TrustedProxies []netip.Prefix `toml:"trusted_proxies"` // whose X-Forwarded-For and X-Forwarded-Proto are believed
	Watchers       []netip.Prefix `toml:"watchers"`        // who may read /metrics and /readyz without signing in
	TLS            WebTLS         `toml:"tls"`
	OIDC           OIDC           `toml:"oidc"`
	Groups         []WebGroup     `toml:"group"`
}

// WebTLS says by which certificate HTTPS is spoken; by none if all of it is empty.
type WebTLS struct {
	CertFile string    `toml:"cert_file"`
	KeyFile  string    `toml:"key_file"`
	ACME     bool      `toml:"acme"`     // a certificate for the host of URL is had by itself
	Email    string    `toml:"email"`    // that the authority writes to
	CA       string    `toml:"ca"`       // the directory of the authority; Let's Encrypt if empty
	CAFile   string    `toml:"ca_file"`  // certificates to trust for that directory
	Redirect []Address `toml:"redirect"` // where HTTP is spoken, to answer the authority and to send browsers to HTTPS
}

// Speaks tells whether HTTPS is spoken.
func (t *WebTLS) Speaks() bool { return t.ACME || t.CertFile != "" }

// Address is how browsers reach the dashboard: URL, or what follows from where it listens; empty if nowhere.
func (w *Web) Address() string {
	if w.URL != "" {
		return w.URL
	}
	scheme := "http://"
	if w.TLS.Speaks() {
		scheme = "https://"
	}
	for _, a := range w.Listen {
		host, port, err := net.SplitHostPort(a.Address)
		if a.Network != "tcp" || err != nil {
			continue
		}
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		return scheme + net.JoinHostPort(host, port)
	}
	return ""
}

// Open names an address of Listen at which others than this host could read what is spoken: HTTP, and no proxy is named that speaks HTTPS in
// its place. It is empty if there is none.
func (w *Web) Open() string {
	if w.TLS.Speaks() || len(w.TrustedProxies) > 0 {
		return ""
	}
	for _, a := range w.Listen {
		host, _, err := net.SplitHostPort(a.Address)
		if a.Network == "tcp" && err == nil && !isLoopback(host) {
			return a.Address
		}
	}
	return ""
}

// OIDC is an OpenID provider that people sign in by; none if Issuer is empty.
type OIDC struct {
	Issuer           string     `toml:"issuer"`
	Name             string     `toml:"name"` // on the button
	ClientID         string     `toml:"client_id"`
	ClientSecretFile string     `toml:"client_secret_file"`
	GroupsClaim      string     `toml:"groups_claim"`
	Roles            []OIDCRole `toml:"role"`
}

// An OIDCRole is what a group at the provider may do.
type OIDCRole struct {
	Group string      `toml:"group"` // at the provider
	Role  people.Role `toml:"role"`
	Over  string      `toml:"over"` // a group of domains, or "*"
}

// A WebGroup is domains that a role can be held over.
type WebGroup struct {
	Name    string   `toml:"name"`
	Domains []string `toml:"domains"`
}

// PeopleGroups are the groups as package people has them.
func (w *Web) PeopleGroups() []people.Group {
	var all []people.Group
	for _, g := range w.Groups {
		all = append(all, people.Group{Name: g.Name, Domains: g.Domains})
	}
	return all
}

// check says which key holds a value that cannot be, and why.
func (w *Web) check() (key string, err error) {
	if w.URL != "" {
		u, err := url.Parse(w.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			return "web.url", fmt.Errorf("web.url %q: write it like \"https://gatepost.example.org\"", w.URL)
		}
		w.URL = u.Scheme + "://" + strings.ToLower(u.Host)
	}
	if (w.TLS.CertFile == "") != (w.TLS.KeyFile == "") {
		return "web.tls.cert_file", fmt.Errorf("web.tls: cert_file and key_file go together")
	}
	if len(w.TLS.Redirect) > 0 && !strings.HasPrefix(w.URL, "https://") {
		return "web.tls.redirect", fmt.Errorf("web.tls.redirect: it needs web.url with https://, where browsers are sent to")
	}
	if w.TLS.ACME && (w.TLS.CertFile != "" || !strings.HasPrefix(w.URL, "https://")) {
		return "web.tls.acme", fmt.Errorf("web.tls.acme: it needs web.url with https://, whose host the certificate is for, and no cert_file")
	}
	if key, err := w.checkGroups(); err != nil {
		return key, err
	}
	return w.OIDC.check(w.Groups)
}

func (w *Web) checkGroups() (key string, err error) {
	seen := map[string]bool{people.Everything: true}
	for i := range w.Groups {
		g := &w.Groups[i]
		if g.Name == "" || seen[g.Name] || len(g.Domains) == 0 {
			return "web.group", fmt.Errorf("web.group %q: it needs a name of its own, which is not \"*\", and domains", g.Name)
		}
		seen[g.Name] = true
		for j, d := range g.Domains {
			name, err := dns.ToASCII(strings.TrimPrefix(d, "*."))
			if err != nil || name == "" {
				return "web.group", fmt.Errorf("web.group %q: %q is no domain", g.Name, d)
			}
			if strings.HasPrefix(d, "*.") {
				name = "*." + name
			}
			g.Domains[j] = name
		}
	}
	return "", nil
}

func (o *OIDC) check(groups []WebGroup) (key string, err error) {
	if o.Issuer == "" {
		return "", nil
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return "web.oidc.issuer", fmt.Errorf("web.oidc.issuer %q: write it like \"https://id.example.org\"", o.Issuer)
	}
	if o.ClientID == "" || o.ClientSecretFile == "" {
		return "web.oidc.client_id", fmt.Errorf("web.oidc: it needs client_id and client_secret_file")
	}
	for _, r := range o.Roles {
		known := r.Over == people.Everything || slices.ContainsFunc(groups, func(g WebGroup) bool { return g.Name == r.Over })
		if r.Group == "" || r.Role == people.Nobody || !known {
			return "web.oidc.role", fmt.Errorf("web.oidc.role %q: it needs group, role, and over, which is \"*\" or the name of a web.group", r.Group)
		}
	}
	return "", nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

package config

import (
	"net/netip"
	"testing"
)

func TestTheDashboardIsReachedByItsURLOrByWhereItListens(t *testing.T) {
	tcp := func(all ...string) (listen []Address) {
		for _, a := range all {
			listen = append(listen, Address{Network: "tcp", Address: a})
		}
		return listen
	}
	for _, c := range []struct {
		web        Web
		want, open string
	}{
		{Web{Listen: tcp("127.0.0.1:8080")}, "http://127.0.0.1:8080", ""},
		{Web{Listen: tcp("[::1]:8080")}, "http://[::1]:8080", ""},
		{Web{Listen: tcp("localhost:8080")}, "http://localhost:8080", ""},
		{Web{Listen: tcp("0.0.0.0:8080")}, "http://127.0.0.1:8080", "0.0.0.0:8080"},
		{Web{Listen: tcp("127.0.0.1:8080", ":8081")}, "http://127.0.0.1:8080", ":8081"},
		{Web{Listen: tcp("192.0.2.1:443"), TLS: WebTLS{CertFile: "cert.pem"}}, "https://192.0.2.1:443", ""},
		{Web{Listen: tcp("192.0.2.1:8080"), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32")}}, "http://192.0.2.1:8080", ""},
		{Web{Listen: tcp("192.0.2.1:443"), URL: "https://gatepost.example.org", TLS: WebTLS{ACME: true}}, "https://gatepost.example.org", ""},
		{Web{Listen: []Address{{Network: "unix", Address: "/run/gatepost/web"}}}, "", ""},
		{Web{}, "", ""},
	} {
		if got := c.web.Address(); got != c.want {
			t.Errorf("%+v: reached at %q, want %q", c.web, got, c.want)
		}
		if got := c.web.Open(); got != c.open {
			t.Errorf("%+v: open at %q, want %q", c.web, got, c.open)
		}
	}
}

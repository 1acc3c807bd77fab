package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"testing"
)

var proxies = Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}

func request(remote string, header http.Header) *http.Request {
	return &http.Request{RemoteAddr: remote, Header: header}
}

func TestWhoAsksIsWhomTheLastProxyThatIsBelievedNames(t *testing.T) {
	for _, c := range []struct {
		remote string
		hops   []string
		of     Proxies
		want   string
	}{
		{"192.0.2.1:5", nil, nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"203.0.113.9"}, nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"203.0.113.9"}, proxies, "192.0.2.1"}, // whoever it is
		{"10.0.0.1:5", nil, proxies, "10.0.0.1"},
		{"10.0.0.1:5", []string{"203.0.113.9"}, proxies, "203.0.113.9"},
		{"10.0.0.1:5", []string{"127.0.0.1, 203.0.113.9"}, proxies, "203.0.113.9"}, // the client wrote what stands before
		{"10.0.0.1:5", []string{"198.51.100.7, 203.0.113.9", "10.0.0.2"}, proxies, "203.0.113.9"},
		{"10.0.0.1:5", []string{"198.51.100.7,10.0.0.3,10.0.0.2"}, proxies, "198.51.100.7"},
		{"10.0.0.1:5", []string{"unknown"}, proxies, "10.0.0.1"},
		{"10.0.0.1:5", []string{"203.0.113.9, "}, proxies, "10.0.0.1"},
		{"10.0.0.1:5", []string{"203.0.113.9:4711"}, proxies, "203.0.113.9"},
		{"10.0.0.1:5", []string{"[2001:db9::1]:80"}, proxies, "2001:db9::1"},
		{"[::ffff:10.0.0.1]:5", []string{"203.0.113.9"}, proxies, "203.0.113.9"},
		{"[2001:db8::1%eth0]:5", nil, nil, "2001:db8::1"},
		{"[2001:db8::1]:5", []string{"::ffff:203.0.113.9"}, proxies, "203.0.113.9"},
		{"@", []string{"203.0.113.9"}, proxies, "invalid IP"},
	} {
		if got := c.of.Address(request(c.remote, http.Header{"X-Forwarded-For": c.hops})).String(); got != c.want {
			t.Errorf("%s, X-Forwarded-For %q: got %s, want %s", c.remote, c.hops, got, c.want)
		}
	}
}

func TestWhoComesByASocketOfTheFileSystemIsBelieved(t *testing.T) {
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/gatepost/web", Net: "unix"})
	r := request("@", http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}}).WithContext(ctx)
	if got := (Proxies{}).Address(r).String(); got != "203.0.113.9" {
		t.Errorf("got %s", got)
	}
	if !(Proxies{}).Secure(r) || (Proxies{}).Stray(r) {
		t.Error("what it says is not believed")
	}
	if got := (Proxies{}).Address(request("@", nil).WithContext(ctx)).String(); got != "127.0.0.1" {
		t.Errorf("without a header: got %s", got)
	}
}

func TestHTTPSIsWhatTheConnectionOrAProxyThatIsBelievedSays(t *testing.T) {
	said := func(values ...string) http.Header { return http.Header{"X-Forwarded-Proto": values} }
	for _, c := range []struct {
		remote string
		header http.Header
		want   bool
	}{
		{"10.0.0.1:5", said("https"), true},
		{"10.0.0.1:5", said("HTTPS"), true},
		{"10.0.0.1:5", said("http, https"), true},
		{"10.0.0.1:5", said("https", "http"), false}, // what the client wrote stands before
		{"10.0.0.1:5", said("http"), false},
		{"10.0.0.1:5", nil, false},
		{"192.0.2.1:5", said("https"), false},
	} {
		if got := proxies.Secure(request(c.remote, c.header)); got != c.want {
			t.Errorf("%s, %v: got %v", c.remote, c.header, got)
		}
	}
	r := request("192.0.2.1:5", nil)
	r.TLS = &tls.ConnectionState{}
	if !(Proxies{}).Secure(r) {
		t.Error("a connection with TLS is not secure")
	}
}

func TestAProxyThatNobodyNamedGivesItselfAway(t *testing.T) {
	for _, name := range forwarding {
		h := http.Header{}
		h.Set(name, "x")
		if !proxies.Stray(request("127.0.0.1:5", h)) {
			t.Errorf("%s is not seen", name)
		}
		if proxies.Stray(request("10.0.0.1:5", h)) {
			t.Errorf("%s of a proxy that is believed", name)
		}
	}
	if proxies.Stray(request("127.0.0.1:5", http.Header{"Accept": {"*/*"}})) {
		t.Error("a client is taken for a proxy")
	}
}

func FuzzAddress(f *testing.F) {
	f.Add("10.0.0.1:5", "203.0.113.9, 10.0.0.2")
	f.Add("@", "[::1]:80,")
	f.Fuzz(func(t *testing.T, remote, hops string) {
		r := request(remote, http.Header{"X-Forwarded-For": {hops}})
		if got := (Proxies{}).Address(r); got != peer(r) {
			t.Errorf("%q is believed of %q", hops, remote)
		}
		if ip := proxies.Address(r); !proxies.Trusted(r) && ip != peer(r) {
			t.Errorf("%q is believed of %q", hops, remote)
		}
	})
}
